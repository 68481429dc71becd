"""Tables that change at the source: what silver follows, what is paused, alone, until somebody resyncs it.

Changes that are compared with the source first are in `test_definitions.py`.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.backfill.partitions import Partition
from connectors.backfill.plan import open_backfill
from connectors.backfill.run import run_partition
from connectors.backfill.targets import SilverTables
from connectors.cdc.rebuild import rebuild_checked
from connectors.cdc.registration import register_source
from connectors.cdc.resync import resync_table
from connectors.cdc.sync import sync_source
from connectors.changes.policies import POLICIES
from connectors.debezium.config import publication_name
from connectors.errors import ContractMismatch, TablePaused
from connectors.lake.contract_log import registered_versions
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.lake.storage import open_table
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.quality.reconcile import reconcile_source
from tasks.lake import rebuild_table
from tests.lake import with_cdc
from tests.services import fresh_database, fresh_settings

CHANGES = {
    "column added": "ALTER TABLE {0} ADD COLUMN added int",
    "column added with a constant": "ALTER TABLE {0} ADD COLUMN added numeric(6, 2) NOT NULL DEFAULT 1.5",
    "column added with a value per row": "ALTER TABLE {0} ADD COLUMN added bytea DEFAULT '\\x01'",
    "column dropped": "ALTER TABLE {0} DROP COLUMN name",
    "column renamed": "ALTER TABLE {0} RENAME COLUMN name TO title",
    "column recreated": "ALTER TABLE {0} DROP COLUMN name, ADD COLUMN name text DEFAULT 'anew'",
    "column name taken": "ALTER TABLE {0} DROP COLUMN name, ADD COLUMN \"Name\" text DEFAULT 'anew'",
    "type changed, read as before": "ALTER TABLE {0} ALTER COLUMN name TYPE varchar",
    "type changed": "ALTER TABLE {0} ALTER COLUMN at TYPE timestamp(6)",
    "NOT NULL set or dropped": "ALTER TABLE {0} ALTER COLUMN n SET NOT NULL",
    "default set or dropped": "ALTER TABLE {0} ALTER COLUMN n SET DEFAULT 7",
    "enum value added": "ALTER TYPE mood ADD VALUE 'new'",
    "key changed": "ALTER TABLE {0} DROP CONSTRAINT {0}_pkey, ADD PRIMARY KEY (n)",
    "table recreated": "DROP TABLE {0}; CREATE TABLE {0} (id int PRIMARY KEY, n int, name text, at timestamp(3))",
    "table dropped": "DROP TABLE {0}",
    "table removed from the publication": "ALTER PUBLICATION {publication} DROP TABLE {0}",
}
TABLES = {kind: TableName("public", f"t{n}") for n, kind in enumerate(CHANGES)}
ADDED = TableName("public", "added")
CREATE = """
CREATE TABLE {0} (id int PRIMARY KEY, n int, name text, at timestamp(3), mood mood DEFAULT 'fine');
INSERT INTO {0} SELECT n, n, 'name ' || n, '2026-01-02 03:04:05.678' FROM generate_series(1, 6) n;
"""
GONE = {"table recreated", "table dropped", "table removed from the publication"}


MERGES = {
    "rebuild task": rebuild_table.fn,
    "rebuild command": rebuild_checked,
    "backfill": lambda settings, table: SilverTables(settings).run(Partition(str(table))),
}
"""What merges besides a drain; a resync fixes the table."""


def drain(settings, connection):
    """Drains and merges; returns why tables are paused."""
    report = sync_source(settings, through_lsn=emit_marker(connection))
    failed = {table: error for table, error in report.outcomes.items() if isinstance(error, Exception)}
    assert {type(error) for error in failed.values()} <= {TablePaused}
    return {table: str(error) for table, error in {**report.checked.paused, **failed}.items()}


def mismatches(settings, tables):
    return {str(c.table): c.keys for c in reconcile_source(settings, [str(t) for t in tables]) if c.mismatches}


@pytest.fixture(scope="module")
def changed(stack_services, tmp_path_factory):
    """Every kind of change on a table of its own, with rows written right before and after, all in one batch."""
    root = tmp_path_factory.mktemp("evolution") / "lake"
    with (
        fresh_database(stack_services) as database,
        fresh_settings(stack_services, database, root) as plain,
        connect(database) as connection,
    ):
        settings = with_cdc(plain, auto_resync_rows=0)
        connection.execute("CREATE TYPE mood AS ENUM ('fine')")
        for table in TABLES.values():
            connection.execute(CREATE.format(table.name))
        register_source(settings)
        assert drain(settings, connection) == {}
        for kind, table in TABLES.items():
            connection.execute(f"UPDATE {table.name} SET n = n + 100 WHERE id <= 2")
            publication = publication_name(settings.cdc.source)
            connection.execute(CHANGES[kind].format(table.name, publication=publication))
            if kind != "table dropped":
                connection.execute(f"INSERT INTO {table.name} (id, n) VALUES (7, 700)")
                connection.execute(f"UPDATE {table.name} SET n = n + 1000 WHERE id IN (2, 3, 7)")
        connection.execute(f"UPDATE {TABLES['enum value added'].name} SET mood = 'new' WHERE id = 1")
        paused = drain(settings, connection)
        yield settings, connection, paused


FOLLOWED = [kind for kind in CHANGES if POLICIES[kind].answer == "followed"]
PAUSED = [kind for kind in CHANGES if POLICIES[kind].answer == "paused"]


def test_every_kind_of_change_has_a_case():
    verified = {kind for kind, policy in POLICIES.items() if policy.answer == "verified"}
    # In test_definitions, test_capture_ends, test_left_out.
    elsewhere = {"partition created", "partition without identity", "table renamed", "table that stops Debezium"}
    assert {*FOLLOWED, *PAUSED, "table added", *elsewhere} == set(POLICIES) - verified


@pytest.mark.parametrize("kind", [kind for kind in FOLLOWED if kind not in GONE])
def test_change_that_loses_nothing_is_followed(changed, kind):
    settings, _, paused = changed
    assert TABLES[kind] not in paused
    assert mismatches(settings, [TABLES[kind]]) == {}
    assert rebuild_checked(settings, TABLES[kind]).differing == 0


def test_silver_is_backfilled_table_by_table(changed):
    settings, connection, _ = changed
    table = TABLES["column added"]
    backfill = open_backfill(settings, "silver", since=None, until=None)
    planned = {partition.key: partition for partition in backfill.plan()}
    assert planned.keys() == {str(t) for t in registered_versions(LakeLayout.of(settings))}
    done = run_partition(backfill.ledger, backfill.target, planned[str(table)], run="a")
    [(rows,)] = connection.execute(f"SELECT count(*) FROM {table.name}").fetchall()
    assert done.rows == rows > 0
    assert str(table) not in {partition.key for partition in backfill.plan()}


def test_drains_at_once_compare_a_table_each_for_itself(changed):
    settings, connection, _ = changed
    table = TABLES["default set or dropped"]
    copies, another = Path(LakeLayout.of(settings).trial(table)), f"{int(time.time())}-of-another-run"
    for name in ("1750000000-left-by-a-killed-run", "left-by-an-earlier-release", another):
        (copies / name).mkdir(parents=True)
    for _ in range(2):
        connection.execute(f"VACUUM FULL {table.name}")
        with ThreadPoolExecutor(3) as threads:
            reports = [run.result() for run in [threads.submit(sync_source, settings) for _ in range(3)]]
        outcomes = [report.outcomes.get(table) for report in reports]
        assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        compared = {drift.outcome for report in reports for drift in report.resolved if drift.table == table}
        assert compared == {"equal"}
    assert mismatches(settings, [table]) == {}
    assert [copy.name for copy in copies.iterdir()] == [another]


@pytest.mark.parametrize("kind", PAUSED)
@pytest.mark.parametrize("merges", MERGES)
def test_nothing_merges_a_held_table(changed, kind, merges):
    settings, _, _ = changed
    uri = LakeLayout.of(settings).silver(TABLES[kind])
    version = open_table(uri).version()
    with pytest.raises(ContractMismatch, match="paused at its last state"):
        MERGES[merges](settings, TABLES[kind])
    assert open_table(uri).version() == version


@pytest.mark.parametrize("kind", PAUSED)
def test_any_other_change_holds_that_table_until_it_is_read_anew(changed, kind):
    settings, connection, paused = changed
    table = TABLES[kind]
    does = {
        "lakehouse source register": lambda: register_source(settings),
        f"lakehouse resync {table}": lambda: resync_table(settings, table),
    }
    (command,) = re.findall("run `(.*)`; until then", paused[table])
    assert ("register" in command) is (kind in GONE)
    for step in command.split(" && "):
        does[step]()
    connection.execute(f"UPDATE {table.name} SET n = n + 5000 WHERE id = 4")
    assert table not in drain(settings, connection)
    assert mismatches(settings, [table]) == {}


def test_table_added_later_is_read_and_captured(changed):
    settings, connection, _ = changed
    connection.execute(CREATE.format(ADDED.name))
    register_source(settings)
    connection.execute("UPDATE added SET n = 0 WHERE id = 1")
    assert ADDED not in drain(settings, connection)
    assert mismatches(settings, [ADDED]) == {}


def test_dropped_table_stays_as_it_was(changed):
    settings, _, paused = changed
    table = TABLES["table dropped"]
    assert table not in paused
    with query_lake(settings, f"SELECT id, n FROM silver.{table.name} ORDER BY id") as rows:
        assert rows.fetchall() == [(1, 101), (2, 102), (3, 3), (4, 4), (5, 5), (6, 6)]
