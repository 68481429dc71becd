import os
import socket
import stat
import subprocess
import sys
import threading

import psutil
import pytest

from connectors.errors import ConfigurationError
from deployments.stack.logs import follow, tail
from deployments.stack.ports import FIRST, LAST, pick_ports
from deployments.stack.state import ProcessId, StackState, read_state, write_state


def test_ports_are_distinct_and_below_the_ephemeral_range():
    ports = pick_ports(["a", "b", "c"])
    assert len(set(ports.values())) == 3
    assert all(FIRST <= port <= LAST for port in ports.values())


def test_free_port_of_last_time_is_kept():
    previous = pick_ports(["a", "b"])
    assert pick_ports(["a", "b"], previous=previous) == previous


def test_taken_port_of_last_time_is_replaced():
    with socket.socket() as server:
        previous = pick_ports(["a"])
        server.bind(("127.0.0.1", previous["a"]))
        server.listen()
        assert pick_ports(["a"], previous=previous) != previous


def test_wanted_port_in_use_is_an_error():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} of kafka is in use\nhint: .*STACK__KAFKA_PORT"):
            pick_ports(["kafka"], wanted={"kafka": port})


def test_wanted_port_is_not_given_to_another_service():
    port = pick_ports(["a"])["a"]
    ports = pick_ports(["a", "b"], wanted={"b": port}, previous={"a": port})
    assert ports["b"] == port
    assert ports["a"] != port


def test_state_is_kept_and_private(tmp_path):
    state = StackState(ports={"kafka": 20001}, holder=ProcessId.of(psutil.Process()))
    write_state(tmp_path / "new home", state)
    assert read_state(tmp_path / "new home") == state
    file = next((tmp_path / "new home").iterdir())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_state_is_an_empty_one(tmp_path):
    assert read_state(tmp_path) == StackState()


def test_recycled_process_id_is_a_stranger():
    me = ProcessId.of(psutil.Process())
    assert me.find() == psutil.Process(os.getpid())
    assert me.model_copy(update={"created": me.created - 1}).find() is None


def test_ended_process_is_not_found():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = ProcessId.of(psutil.Process(child.pid))
    child.communicate(b"\n")
    assert known.find() is None


def test_tail_reads_only_the_end(tmp_path):
    log = tmp_path / "log"
    log.write_text("".join(f"line {n}\n" for n in range(10_000)))
    assert tail(log, lines=2) == ["line 9998", "line 9999"]
    assert tail(log, lines=0) == []
    assert tail(tmp_path / "none", lines=2) == []


def test_follow_yields_whole_new_lines(tmp_path):
    log = tmp_path / "log"
    log.write_text("old\n")
    writer = threading.Timer(0.1, lambda: log.write_text("old\nnew\nhalf"))
    writer.start()
    assert next(follow({"kafka": log})) == ("kafka", "new")
    writer.join()
