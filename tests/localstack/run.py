"""Runs the tests of batch loads from S3 against LocalStack, where there is a Python that it runs on.

Not those of DynamoDB: LocalStack would download DynamoDB Local, from a place that is no package registry.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from deployments.stack.ports import pick_ports
from tests.aws import VARIABLE

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
ENVIRONMENT = ROOT / ".boot" / "localstack"
UV = ROOT / ".boot" / "bin" / "uv"
TESTS = ["tests/integration/test_load_objects.py", "tests/integration/test_load_pages.py"]
_READY_SECONDS, _TEST_SECONDS = 60, 280
_SETTINGS = {
    "OVERRIDE_IN_DOCKER": "0",
    "DISABLE_EVENTS": "1",
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "DNS_ADDRESS": "0",
    "EAGER_SERVICE_LOADING": "0",
}


def find_python():
    """A Python of 3.13 or newer: LOCALSTACK_PYTHON, one on the path, or one of pyenv; None if there is none."""
    if given := os.environ.get("LOCALSTACK_PYTHON"):
        return given
    for version in ("3.13", "3.14"):
        found = subprocess.run([UV, "python", "find", version], check=False, capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.strip()
    return next(iter(sorted(Path.home().glob(".pyenv/versions/3.1[34].*/bin/python"))), None)


def install(python):
    """Installs LocalStack apart from everything else, as locked."""
    uv = [UV, "--quiet"]
    subprocess.run([*uv, "venv", "--allow-existing", "--python", python, ENVIRONMENT], check=True)
    lock = ["--require-hashes", HERE / "requirements.lock"]
    subprocess.run([*uv, "pip", "sync", "--python", ENVIRONMENT / "bin" / "python", *lock], check=True)


@contextmanager
def running():
    """LocalStack on a free port; its address."""
    address = f"127.0.0.1:{pick_ports(['aws'])['aws']}"
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "FILESYSTEM_ROOT": folder, **_SETTINGS}
        environment |= {"LOCALSTACK_HOST": address, "GATEWAY_LISTEN": address}
        command = [ENVIRONMENT / "bin" / "python", HERE / "server.py"]
        with subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log) as server:
            try:
                until = Retrying(
                    retry=retry_if_exception_type(httpx.HTTPError),
                    stop=stop_after_delay(_READY_SECONDS),
                    wait=wait_fixed(0.2),
                )
                until(lambda: httpx.get(f"http://{address}/_localstack/health").raise_for_status())
                yield f"http://{address}"
            finally:
                server.kill()


def main():
    """Returns the exit code of the tests; zero, and a line that says so, where they can't be run."""
    python = find_python()
    if python is None:
        print("SKIPPED the tests against LocalStack: there is no Python 3.13 or newer")
        return 0
    install(python)
    with running() as address:
        command = [sys.executable, "-m", "pytest", *TESTS, "-n", "2", "--dist", "loadfile"]
        environment = os.environ | {VARIABLE: address}
        return subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=_TEST_SECONDS).returncode


if __name__ == "__main__":
    sys.exit(main())
