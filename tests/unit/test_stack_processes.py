import os
import signal
import sys
import threading

import psutil
import pytest

from connectors.errors import ServiceUnavailable
from deployments.stack.process import Launch, find_marked, is_alive, launch, roots, stop
from deployments.stack.service import Service

STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
print("ready", flush=True)
signal.pause()
"""


def start(folder, code):
    log = folder / "log"
    child = launch(Launch(command=[sys.executable, "-c", code], folder=folder, log=log, cwd=folder, env={}))
    return child, log


def wait_for(log, text):
    while text not in log.read_text():
        threading.Event().wait(0.02)


def test_children_in_other_sessions_are_found_and_killed(tmp_path):
    child, log = start(tmp_path, STUBBORN)
    wait_for(log, "ready")
    found = find_marked(tmp_path)
    assert len(found) == 2
    assert [process.pid for process in roots(found)] == [child.pid]

    stop(found, grace=0.2)

    child.wait()
    assert find_marked(tmp_path) == []


def test_other_folders_are_left_alone(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "ab").mkdir()
    child, _ = start(tmp_path / "ab", "import signal; signal.pause()")
    assert find_marked(tmp_path / "a") == []
    stop(find_marked(tmp_path / "ab"))
    child.wait()


def test_ended_child_is_not_alive(tmp_path):
    child, _ = start(tmp_path, "import signal; signal.pause()")
    process = psutil.Process(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process)
    child.wait()


class Scripted(Service):
    name = "scripted"

    def __init__(self, folder, code, *, sign="ready"):
        super().__init__(folder)
        self.code = code
        self.sign = sign

    @property
    def address(self):
        return "nowhere"

    def command(self):
        return [sys.executable, "-c", self.code]

    def is_ready(self):
        return self.sign in self.log.read_text()


def test_failed_start_shows_the_log(tmp_path):
    service = Scripted(tmp_path, "print('the disk is full'); raise SystemExit(3)")
    service.start()
    with pytest.raises(ServiceUnavailable, match=r"(?s)scripted ended with code 3.*the disk is full.*scripted\.log"):
        service.wait_ready()
    service.stop()


def test_start_replaces_what_was_left(tmp_path):
    code = "import signal; print('{}', flush=True); signal.pause()"
    first = Scripted(tmp_path, code.format("ready"))
    first.start()
    first.wait_ready()
    left = first.processes()

    # The log of the first one is still there.
    second = Scripted(tmp_path, code.format("here again"), sign="here again")
    second.start()
    second.wait_ready()

    assert not any(is_alive(process) for process in left)
    assert len(second.processes()) == 1
    second.stop()
    first.stop()


def test_aborted_service_does_not_start(tmp_path):
    service = Scripted(tmp_path, "import signal; signal.pause()")
    service.abort()
    with pytest.raises(ServiceUnavailable, match="stopped before it started"):
        service.start()
    assert service.processes() == []


def test_large_log_is_put_aside(tmp_path):
    log = tmp_path / "scripted.log"
    with log.open("wb") as file:
        file.truncate(33 * 2**20)
    service = Scripted(tmp_path, "print('ready', flush=True)")
    service.start()
    service.stop()
    assert log.stat().st_size < 100
    assert log.with_suffix(".old").exists()
