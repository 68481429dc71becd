"""What it costs to notice that a table's definition changed, and to find out whether its rows did.

Run while `lakehouse up` runs: it makes a database, a source and a lake of its own, and removes them.
"""

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from connectors.cdc.registration import register_source
from connectors.cdc.removal import remove_source
from connectors.cdc.resync import resync_table
from connectors.cdc.sync import SyncReport, sync_source
from connectors.postgres.catalog import list_tables, read_tables
from connectors.postgres.connection import connect
from connectors.postgres.replication import emit_marker
from connectors.quality.reconcile import reconcile_source
from connectors.settings import LakeSettings, Settings, load_settings

ROWS = 1_000_000
PENDING = 1_000


def main() -> None:
    """Measures, and prints the figures."""
    with scratch() as settings, connect(settings.postgres) as source:
        for number in range(1_000):
            columns = ", ".join(f"c{n} text" for n in range(8))
            source.execute(f"CREATE TABLE many.t{number} (id int PRIMARY KEY, at timestamptz, {columns})")
        for count in (10, 1_000):
            tables = list_tables(source, ["many.*"])[:count]
            took = min(timed(partial(read_tables, source, tables)) for _ in range(5))
            print(f"catalogue of {count:,} tables of 10 columns: {took * 1000:.0f} ms")
        for number in range(1_000):
            source.execute(f"DROP TABLE many.t{number}")

        source.execute("CREATE TABLE item (id int PRIMARY KEY, n int, at timestamptz, name text, note text)")
        source.execute(
            "INSERT INTO item SELECT n, n % 100, '2026-01-01'::timestamptz + n * interval '1 s',"
            f" 'name ' || n, md5(n::text) FROM generate_series(1, {ROWS}) n"
        )
        registered = register_source(settings)
        drained(settings)
        table = registered.tables[0]
        compared = timed(lambda: reconcile_source(settings))
        print(f"reconcile {ROWS:,} rows: {compared:.1f} s")
        for pending in (0, PENDING):
            source.execute("VACUUM FULL item")
            source.execute(f"UPDATE item SET n = n + 1 WHERE id <= {pending}")
            [found] = drained(settings).resolved
            assert found.outcome == "equal", found
            print(f"compare after VACUUM FULL, {pending:,} changes pending: {found.seconds:.1f} s")
        print(f"resync: {timed(lambda: resync_table(settings, table)):.1f} s")


@contextmanager
def scratch() -> Iterator[Settings]:
    """Settings of a database, a source and a lake of our own."""
    name, folder = f"bench_{uuid.uuid4().hex[:8]}", Path(tempfile.mkdtemp(prefix="bench-"))
    own = load_settings()
    with connect(own.postgres) as server:
        server.execute(f"CREATE DATABASE {name}")
    settings = own.model_copy(
        update={
            "postgres": own.postgres.model_copy(update={"database": name}),
            "cdc": own.cdc.model_copy(update={"source": name}),
            "lake": LakeSettings(root=str(folder / "lake")),
        }
    )
    try:
        with connect(settings.postgres) as source:
            source.execute("CREATE SCHEMA many")
        yield settings
    finally:
        remove_source(settings, dry_run=False)
        with connect(own.postgres) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        shutil.rmtree(folder)


def drained(settings: Settings) -> SyncReport:
    """Drains all that is committed now."""
    with connect(settings.postgres) as source:
        report = sync_source(settings, through_lsn=emit_marker(source))
    report.merged()
    return report


def timed(work: Callable[[], object]) -> float:
    """Returns how many seconds some work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
