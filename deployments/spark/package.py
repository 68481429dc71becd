"""Packs what the Spark job needs into a folder, to be copied to S3: `make spark-job`.

The archive has this library, and those of deployments/spark/requirements.lock for the platform of the workers. Their
image has to have Python 3.11.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LOCK = Path(__file__).with_name("requirements.lock")
_PYTHON = "3.11"
_PACKAGES = ("connectors", "deployments")
_PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")


def main(argv: Sequence[str] | None = None) -> int:
    """Packs, and says where the files are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where environment.tar.gz and merge_job.py go")
    parser.add_argument("--uv", default="uv", help="the uv to install with")
    parser.add_argument("--platform", choices=_PLATFORMS, default=_PLATFORMS[0], help="of the application's workers")
    options = parser.parse_args(argv)
    pack(options.folder, uv=options.uv, platform=options.platform)
    sys.stdout.write(f"{options.folder}: copy it to LAKEHOUSE_SPARK__CODE, `aws s3 cp --recursive`\n")
    return 0


def pack(folder: Path, *, uv: str, platform: str = _PLATFORMS[0]) -> None:
    """Writes `environment.tar.gz` and `merge_job.py` into a folder.

    Args:
        folder: Where they go; made if there is none.
        uv: Path of uv.
        platform: Of the workers, as uv calls it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        environment = Path(scratch)
        libraries = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(_LOCK)]
        where = ["--target", str(environment), "--python-version", _PYTHON, "--python-platform", platform]
        subprocess.run([uv, "pip", "install", "--quiet", *where, *libraries], check=True)
        for package in _PACKAGES:
            shutil.copytree(_ROOT / package, environment / package, ignore=shutil.ignore_patterns("__pycache__"))
        # Whole or not at all: a killed run must not leave half an archive where the last whole one was.
        unfinished = folder / "environment.tar.gz.unfinished"
        with tarfile.open(unfinished, "w:gz", compresslevel=1) as archive:
            archive.add(environment, arcname=".")
        unfinished.replace(folder / "environment.tar.gz")
    shutil.copy(_ROOT / "deployments" / "spark" / "merge_job.py", folder / "merge_job.py")


if __name__ == "__main__":
    sys.exit(main())
