"""A drain killed with -9 between any two commits: the next one leaves silver equal to its source, bronze unique."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from connectors.failpoints import FAILPOINTS, VARIABLE
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import data_files, open_table
from connectors.postgres.connection import connect
from connectors.postgres.replication import emit_marker
from connectors.quality.reconcile import reconcile_source
from connectors.source import register_source

ROOT = Path(__file__).parents[2]
TABLES = 4

DDL = """
CREATE TABLE a (id int PRIMARY KEY, name text, big text);
CREATE TABLE b (id int, line int, qty int, PRIMARY KEY (id, line));
CREATE TABLE c (id text PRIMARY KEY, at timestamptz);
CREATE TABLE log (note text);
ALTER TABLE log REPLICA IDENTITY FULL;
"""

TRAFFIC = """
DELETE FROM a;
DELETE FROM b;
DELETE FROM c;
DELETE FROM log;
INSERT INTO a SELECT n, 'a' || n, CASE WHEN n % 5 = 0
    THEN (SELECT string_agg(md5((n * i)::text), '') FROM generate_series(1, 400) i) END FROM generate_series(1, 60) n;
INSERT INTO b SELECT n, l, n * l FROM generate_series(1, 20) n, generate_series(1, 3) l;
INSERT INTO c SELECT 'c' || n, timestamptz '2026-01-01' + n * interval '1 minute' FROM generate_series(1, 30) n;
INSERT INTO log SELECT 'note ' || n % 3 FROM generate_series(1, 9) n;
UPDATE a SET name = name || '!' WHERE id % 2 = 0;
UPDATE a SET id = id + 1000 WHERE id % 10 = 0;
DELETE FROM a WHERE id BETWEEN 11 AND 13;
UPDATE b SET qty = 0 WHERE line = 2;
DELETE FROM c WHERE id LIKE 'c1%';
INSERT INTO c VALUES ('c1', now());
UPDATE log SET note = 'changed' WHERE note = 'note 1';
DELETE FROM log WHERE note = 'note 2';
"""

KILLS = [
    *(name for name in FAILPOINTS if name not in ("silver-committed", "quarantined", "silver-replaced")),
    *(f"{name}:{n}" for name in ("silver-committed", "quarantined") for n in range(1, TABLES + 1)),
    "polled:2",
    "bronze-committed:2",
]


@pytest.fixture
def source(settings):
    with connect(settings.postgres) as connection:
        connection.autocommit = True
        connection.execute(DDL)
        register_source(settings)
        yield connection


def run_drain(settings, lsn, failpoint=""):
    password = settings.postgres.password.get_secret_value()
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "LAKEHOUSE_POSTGRES__HOST": settings.postgres.host,
        "LAKEHOUSE_POSTGRES__PORT": str(settings.postgres.port),
        "LAKEHOUSE_POSTGRES__USER": settings.postgres.user,
        "LAKEHOUSE_POSTGRES__PASSWORD": password,
        "LAKEHOUSE_POSTGRES__DATABASE": settings.postgres.database,
        "LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "LAKEHOUSE_CONNECT__URL": settings.connect.url,
        "LAKEHOUSE_CDC__SOURCE": settings.cdc.source,
        # Small micro-batches, so that there is a second one to be killed in.
        "LAKEHOUSE_CDC__BATCH_MESSAGES": "150",
        "LAKEHOUSE_LAKE__ROOT": settings.lake.root,
        VARIABLE: failpoint,
    }
    command = [sys.executable, str(ROOT / "tests/crash/run_drain.py"), str(lsn)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def bronze_is_unique(settings):
    layout = LakeLayout(settings.lake.root, settings.cdc.source)
    files = [f["path"] for f in data_files(layout.bronze, open_table(layout.bronze))]
    with duckdb.connect() as connection:
        [(rows, distinct)] = connection.execute(
            "SELECT count(*), count(DISTINCT (topic_id, stream_partition, stream_offset))"
            f" FROM read_parquet({files!r}, hive_partitioning = false)"
        ).fetchall()
    return rows == distinct > 0


def test_killed_anywhere_loses_and_doubles_nothing(settings, source):
    """Every failpoint in turn, on one lake: each round brings new traffic, a kill, and a clean run after it."""
    for failpoint in KILLS:
        source.execute(TRAFFIC)
        lsn = emit_marker(source)
        killed = run_drain(settings, lsn, failpoint)
        assert killed.returncode == -signal.SIGKILL, f"{failpoint}: {killed.stderr}"
        finished = run_drain(settings, lsn)
        assert finished.returncode == 0, f"after {failpoint}: {finished.stderr}"
        mismatches = {str(c.table): c.mismatches for c in reconcile_source(settings) if c.mismatches}
        assert mismatches == {}, f"after {failpoint}"
        assert bronze_is_unique(settings), f"after {failpoint}"
