"""What the doctor says of a lake that is well, and of one where something is wrong: what, and how to mend it."""

import json
import shutil
from unittest.mock import Mock

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from connectors.cdc.drain import drain_source
from connectors.cdc.lag import measure_lag
from connectors.cdc.resync import resync_table
from connectors.debezium.config import connector_name
from connectors.debezium.connect import ConnectClient
from connectors.lake.checked import Checked, read_checked, record_checked
from connectors.lake.layout import LakeLayout
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.settings import ConnectSettings, KafkaSettings
from deployments import doctor
from deployments.cli import app
from deployments.doctor import examine
from deployments.stack.ports import pick_ports
from tests.lake import drain, registered_source

DDL = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"


@pytest.fixture(autouse=True)
def without_prefect(monkeypatch, environment, tmp_path):
    """Prefect is looked at where there is one, in the tests of the whole stack."""
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("LAKEHOUSE_PREFECT__API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setattr(doctor, "CHECKS", tuple(check for check in doctor.CHECKS if check.area != "Prefect"))


def said(settings, **changes):
    """Severity and area of each problem, with what is said of it."""
    found = examine(settings.model_copy(update=changes))
    return [(problem.severity, problem.area, f"{problem.problem} -> {problem.fix}") for problem in found]


def test_lake_that_is_well_and_one_without_a_source(settings):
    with connect(settings.postgres) as source:
        source.execute("CREATE TABLE u (id int PRIMARY KEY)")
    [(severity, area, text)] = said(settings)
    assert (severity, area) == ("warning", "capture")
    assert "no source is registered" in text
    with registered_source(settings, DDL):
        assert said(settings) == []


def test_everything_is_said_at_once_the_blockers_first(settings):
    with registered_source(settings, DDL), ConnectClient(settings.connect.url) as client:
        client.stop(connector_name(settings.cdc.source))
        layout = LakeLayout.of(settings)
        record_checked(layout, Checked(read_checked(layout).up_to_batch, frozenset([TableName("public", "t")])))
        first, second = said(settings)
    assert first[:2] == ("blocker", "capture")
    assert "its connector is stopped" in first[2]
    assert "`lakehouse source register`" in first[2]
    assert second == (
        "blocker",
        "lake",
        "public.t is paused -> `lakehouse drain` says why, and which command resumes it",
    )


@pytest.mark.parametrize(
    ("change", "area", "text"),
    [
        ("password", "database", "refused the log-in"),
        ("port", "database", "did not answer"),
        ("connect", "capture", "Kafka Connect does not answer"),
        ("kafka", "stream", "answer"),
    ],
)
def test_wrong_address_or_password_is_named(settings, change, area, text):
    nowhere = pick_ports(["nowhere"])["nowhere"]
    changes = {
        "password": {"postgres": settings.postgres.model_copy(update={"password": SecretStr("wrong")})},
        "port": {"postgres": settings.postgres.model_copy(update={"port": nowhere})},
        "connect": {"connect": ConnectSettings(url=f"http://127.0.0.1:{nowhere}")},
        "kafka": {"kafka": KafkaSettings(bootstrap_servers=f"127.0.0.1:{nowhere}")},
    }
    with registered_source(settings, DDL):
        found = said(settings, **changes[change])
    assert (area, True) in [(of, text in what) for severity, of, what in found if severity == "blocker"]


def test_what_blocks_the_database_comes_with_its_sql(settings):
    with registered_source(settings, DDL) as source:
        source.execute("CREATE UNLOGGED TABLE u (id int PRIMARY KEY, d date[][])")
        source.execute("CREATE TABLE w (id int PRIMARY KEY, p point[])")
        assert [area for severity, area, _ in said(settings) if severity == "blocker"] == ["database"]


def test_little_disk_and_memory_are_told(settings, monkeypatch):
    little = shutil.disk_usage("/")._replace(free=10**8)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: little)
    memory = doctor.psutil.virtual_memory()._replace(available=5 * 10**8)
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: memory)
    found = {area: (severity, text) for severity, area, text in said(settings)}
    assert found["disk"][0] == "blocker"
    assert "0.1 GB are left where the state folder is" in found["disk"][1]
    assert found["memory"][0] == "warning"


def test_check_that_fails_by_itself_is_told_and_the_others_go_on(settings, monkeypatch):
    def broken(_settings):
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(doctor, "CHECKS", (doctor.Check("broken", broken), *doctor.CHECKS))
    assert [area for _, area, _ in said(settings)] == ["broken", "database", "capture"]  # there is no table


def test_lag_is_told_in_the_log_the_stream_and_bronze(settings):
    with registered_source(settings, DDL) as source:
        [table] = measure_lag(settings).tables
        assert (table.undrained, table.unmerged, table.waiting_since) == (0, 0, None)
        assert table.newest_change is not None
        source.execute("INSERT INTO t SELECT generate_series(2, 11)")
        drain_source(settings, through_lsn=emit_marker(source))
        [table] = measure_lag(settings).tables
        assert (table.undrained, table.unmerged) == (0, 10)
        assert table.waiting_since is not None
        drain(settings, source)
        found = measure_lag(settings)
        assert (found.tables[0].unmerged, found.source.reading) == (0, True)
        assert found.source.retained_bytes is not None
        shown = json.loads(CliRunner().invoke(app, ["lag", "--json"]).stdout)
        assert [(table["table"], table["unmerged"]) for table in shown["tables"]] == [("public.t", 0)]
        assert shown["limit_bytes"] == found.source.limit_bytes


def test_what_a_killed_resync_left_is_named(settings, monkeypatch):
    with registered_source(settings, DDL):
        with monkeypatch.context() as killed:
            killed.setattr(ConnectClient, "resume", Mock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                resync_table(settings, TableName("public", "t"))
        assert [(severity, area) for severity, area, what in said(settings) if "reads a table anew" in what] == [
            ("warning", "capture")
        ]
        resync_table(settings, TableName("public", "t"))
        assert [what for _, area, what in said(settings) if area == "capture"] == []
