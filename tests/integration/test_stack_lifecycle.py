import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager

import httpx
import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from deployments.stack.kafka import KafkaService
from deployments.stack.ports import pick_ports
from deployments.stack.postgres import PostgresService
from deployments.stack.process import MARK, is_alive
from tests.crash.outage import kill, kill_processes

LAKEHOUSE = [sys.executable, "-c", "from deployments.cli import app; app()"]


@pytest.fixture
def postgres(tmp_path):
    service = PostgresService(tmp_path / "a folder", port=pick_ports(["postgres"])["postgres"])
    yield service
    service.delete_data()


def test_postgres_keeps_data_when_killed(postgres):
    postgres.start()
    postgres.wait_ready()
    with postgres.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    kill(postgres)
    assert (postgres.data / "postmaster.pid").exists()

    postgres.start()
    postgres.wait_ready()

    with postgres.connect() as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_postgres_starts_beside_a_stranger_with_its_old_process_id(postgres):
    postgres.start()
    postgres.wait_ready()
    postgres.stop()
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{postgres.data}\n")

    postgres.start()
    postgres.wait_ready()


def test_postgres_stops_in_spite_of_clients(postgres):
    postgres.start()
    postgres.wait_ready()
    connection = postgres.connect()
    postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    assert postgres.processes() == []


def test_interrupted_creation_of_the_database_is_begun_anew(postgres):
    (postgres.folder / "postgres-left").mkdir(parents=True)
    (postgres.folder / "data").symlink_to("gone")
    postgres.start()
    postgres.wait_ready()
    assert (postgres.folder / "password").stat().st_mode & 0o777 == 0o600


def test_deleted_database_leaves_nothing(postgres):
    postgres.start()
    postgres.wait_ready()
    data = postgres.data
    postgres.delete_data()
    assert not data.exists()
    assert not postgres.folder.exists()


def test_kafka_keeps_topics_when_killed_and_moved_to_other_ports(tmp_path):
    folder = tmp_path / "a, folder"
    with running_kafka(folder) as kafka:
        admin = AdminClient({"bootstrap.servers": kafka.address})
        admin.create_topics([NewTopic("kept", num_partitions=1)])["kept"].result()
        producer = Producer({"bootstrap.servers": kafka.address})
        producer.produce("kept", b"42")
        assert producer.flush(30) == 0
        kill(kafka)

    with running_kafka(folder) as kafka:
        consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": "test"})
        consumer.assign([TopicPartition("kept", 0, 0)])
        message = consumer.poll(30)
        consumer.close()
        assert message is not None
        assert message.value() == b"42"


@contextmanager
def running_kafka(folder):
    ports = pick_ports(["kafka", "kafka_controller"])
    kafka = KafkaService(folder, port=ports["kafka"], controller_port=ports["kafka_controller"])
    kafka.start()
    try:
        kafka.wait_ready()
        yield kafka
    finally:
        kafka.stop()


class Commands:
    """The command for a state folder, with the broker and Connect of the session as one's own."""

    def __init__(self, home, services):
        self.home = home
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "PREFECT_"))},
            "LAKEHOUSE_HOME": str(home),
            "LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS": services.kafka.address,
            "LAKEHOUSE_CONNECT__URL": services.connect.address,
        }

    def start(self, *arguments):
        return subprocess.Popen([*LAKEHOUSE, *arguments], env=self.env, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments):
        done = subprocess.run([*LAKEHOUSE, *arguments], env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def connect(self):
        address = json.loads((self.home / "stack.json").read_text())["postgres"]
        return psycopg.connect(
            host=address["host"],
            port=address["port"],
            user=address["user"],
            password=address["password"],
            dbname=address["database"],
        )

    def prefect(self, method, path, content=None):
        api_url = json.loads((self.home / "stack.json").read_text())["prefect"]["api_url"]
        return httpx.request(method, api_url + path, json=content, timeout=60).raise_for_status().json()

    def processes(self):
        """All processes that belong to the state folder; PostgreSQL's server still has its first environment."""
        found = []
        for process in psutil.process_iter():
            try:
                mark = process.environ().get(MARK, "")
                if mark.startswith(str(self.home)) and is_alive(process):
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture
def commands(tmp_path, stack_services):
    commands = Commands(tmp_path / "a home", stack_services)
    yield commands
    commands.run("down", "--delete-data", "--yes")
    assert not commands.home.exists()


def read_until(stream, text):
    for line in stream:
        if text in line:
            return
    pytest.fail(f"ended before it said {text!r}")


def test_killed_stack_is_replaced_and_down_leaves_nothing(commands):
    supervisor = commands.start("up")
    read_until(supervisor.stderr, "Ctrl-C")
    states = {service["name"]: service["state"] for service in json.loads(commands.run("status", "--json"))}
    assert states == {
        "postgres": "running",
        "kafka": "external",
        "connect": "external",
        "aws": "stopped",
        "prefect": "running",
        "worker": "running",
    }
    assert stat.S_IMODE(commands.home.stat().st_mode) == 0o700
    first = commands.processes()
    for process in first:
        for connection in process.net_connections():
            assert connection.status != psutil.CONN_LISTEN or connection.laddr.ip == "127.0.0.1"
    with commands.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    deployment = commands.prefect("GET", "/deployments/name/lakehouse/lakehouse-local")
    run = commands.prefect("POST", f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "PENDING"}})

    supervisor.kill()
    supervisor.communicate()
    kill_processes([process for process in first if "worker" not in process.environ()[MARK]])
    commands.run("up", "--detach")

    assert not any(is_alive(process) for process in first)
    with commands.connect() as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert commands.prefect("GET", f"/flow_runs/{run['id']}")["state"]["type"] == "CRASHED"

    def of(name):
        return {process.pid for process in commands.processes() if process.environ()[MARK].endswith(name)}

    before = {name: of(name) for name in ("postgres", "prefect", "worker")}
    kill_processes([psutil.Process(pid) for pid in before["worker"]])
    commands.run("up", "--detach")
    assert (of("postgres"), of("prefect")) == (before["postgres"], before["prefect"])
    assert of("worker")
    assert of("worker").isdisjoint(before["worker"])
    commands.run("down")
    assert commands.processes() == []
    assert not (commands.home / "stack.json").exists()


def test_interrupted_start_leaves_nothing(commands):
    supervisor = commands.start("up")
    read_until(supervisor.stderr, "postgres")
    supervisor.send_signal(signal.SIGTERM)
    _, talk = supervisor.communicate()
    assert supervisor.returncode == 130, talk
    assert commands.processes() == []
