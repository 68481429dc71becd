"""Every row of the table of types, through the real Debezium: silver has the value, or the quarantine its row."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest

from connectors.cdc.registration import register_source
from connectors.cdc.resync import resync_table
from connectors.debezium.placeholder import recognisable
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import open_table
from connectors.postgres.catalog import read_tables
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.postgres.types import TYPES, TypeRule, row_name, rule_for
from connectors.quality.reconcile import reconcile_source
from tests.integration.conftest import fresh_database, fresh_settings
from tests.lake import drain, open_lake, received
from tests.values.arrays import ARRAYS, DOMAINS
from tests.values.declarations import SETUP
from tests.values.scalars import SCALARS

VALUES = SCALARS | ARRAYS | DOMAINS
ROWS = max(len(values.kept) for values in VALUES.values())
BAD = [(name, text) for name, values in VALUES.items() for text in values.quarantined]
LARGE, HUGE, NULLS, FIRST_BAD = 90, 91, 92, 100
INSERTED, CHANGED = 1000, 2000
"""Added to the id of a row: one that comes after the snapshot, and one that gets its values by an update."""
PATHS = ("snapshot", "insert", "update", "unchanged", "resync")

TABLES = (TableName("public", "by_key"), TableName("public", "by_row"))


def columns_of(table):
    return {column.name: column for column in table.contract.columns if column.name in VALUES}


def default_of(values):
    # PostgreSQL allows no constant of this type in a default.
    text = values.sql(values.kept[0])
    return f"({text}::text)::regrole" if values.declared == "regrole" else text


def make_tables(source):
    """`by_key` leaves out what an update does not change, of the types of which that can be told; `by_row` nothing.

    Every column has a default, so that a NULL which takes the default's place is found.
    """
    source.execute(SETUP)
    for table in TABLES:
        columns = ", ".join(
            f"{quote_identifier(name)} {values.declared} DEFAULT {default_of(values)}"
            for name, values in VALUES.items()
        )
        source.execute(f"CREATE TABLE {table.quoted} (id int PRIMARY KEY, other int DEFAULT 0, {columns})")
        source.execute(f"ALTER TABLE {table.quoted} ADD CHECK (abs(extract(hour FROM interval)) < 2147483648)")
    source.execute("ALTER TABLE by_row REPLICA IDENTITY FULL")
    (by_key,) = read_tables(source, TABLES[:1])
    for column in by_key.contract.columns:
        if not recognisable(column):
            source.execute(f"ALTER TABLE by_key DROP {quote_identifier(column.name)}")


def fill_table(source, table):
    name, columns = table.contract.table.quoted, columns_of(table)
    target = f"INSERT INTO {name} (id, {', '.join(map(quote_identifier, columns))}) VALUES"
    for n in range(ROWS):
        texts = ((VALUES[c], VALUES[c].kept[n % len(VALUES[c].kept)]) for c in columns)
        source.execute(f"{target} ({n}, {', '.join(values.sql(text) for values, text in texts)})")
    for n, (bad, text) in enumerate(BAD):
        if bad in columns:
            row = (VALUES[c].sql(text) if c == bad else "NULL" for c in columns)
            source.execute(f"{target} ({FIRST_BAD + n}, {', '.join(row)})")
    external = ", ".join(f"ALTER {quote_identifier(c)} SET STORAGE EXTERNAL" for c in columns if VALUES[c].large)
    source.execute(f"ALTER TABLE {name} {external}")
    source.execute(f"{target} ({LARGE}, {', '.join(VALUES[c].large or 'NULL' for c in columns)})")
    source.execute(f"{target} ({NULLS}, {', '.join('NULL' for _ in columns)})")
    source.execute(f"INSERT INTO {name} (id) SELECT id + {CHANGED} FROM {name}")


def change_table(source, table):
    name, columns = table.contract.table.quoted, ", ".join(map(quote_identifier, columns_of(table)))
    known = f"SELECT id + {INSERTED}, {columns} FROM {name} WHERE id < {INSERTED}"
    source.execute(f"INSERT INTO {name} (id, {columns}) {known}")
    given = f"SELECT {columns} FROM {name} g WHERE g.id = t.id - {CHANGED}"
    source.execute(f"UPDATE {name} t SET ({columns}) = ({given}) WHERE id >= {CHANGED}")


@pytest.fixture(scope="module")
def types(stack_services, tmp_path_factory):
    """The tables after a snapshot, inserts and updates of everything, and updates of nothing but another column."""
    root = tmp_path_factory.mktemp("types") / "lake"
    with (
        fresh_database(stack_services) as database,
        fresh_settings(stack_services, database, root) as settings,
        connect(database) as source,
    ):
        make_tables(source)
        tables = read_tables(source, TABLES)
        for table in tables:
            fill_table(source, table)
        source.execute(f"INSERT INTO by_key (id, text) VALUES ({HUGE}, repeat('0123456789', 524288))")
        source.execute("CREATE TABLE gap (id int PRIMARY KEY, day date)")
        source.execute("INSERT INTO gap SELECT i, date '1582-10-03' + i FROM generate_series(1, 12) i")
        register_source(settings)
        drain(settings, source)
        source.execute("INSERT INTO gap SELECT id + 100, day FROM gap")
        source.execute("INSERT INTO gap SELECT id + 200, NULL FROM gap WHERE id < 100")
        source.execute("UPDATE gap t SET day = (SELECT day FROM gap g WHERE g.id = t.id - 200) WHERE id > 200")
        for table in tables:
            change_table(source, table)
        drain(settings, source)
        source.execute("UPDATE by_key SET other = 1; UPDATE by_row SET other = 1")
        drain(settings, source)
        quarantine = open_table(LakeLayout.of(settings).quarantine)
        with open_lake(settings) as lake:
            yield SimpleNamespace(
                settings=settings,
                source=source,
                lake=lake,
                columns={str(table.contract.table): columns_of(table) for table in tables},
                mismatches={str(found.table): found.mismatches for found in reconcile_source(settings)},
                rejected=quarantine.to_pyarrow_table().to_pylist(),
            )


@pytest.fixture(scope="module")
def resynced(types):
    """The lake after both tables were read again from the source."""
    for table in TABLES:
        resync_table(types.settings, table)
    with open_lake(types.settings) as lake:
        yield SimpleNamespace(
            lake=lake, mismatches={str(found.table): found.mismatches for found in reconcile_source(types.settings)}
        )


def nulls_in(lake, table, columns):
    """How many NULLs each of the rows has in silver that are nothing but NULLs at the source."""
    is_null = " + ".join(f"({quote_identifier(name)} IS NULL)::int" for name in columns)
    rows = (NULLS, NULLS + INSERTED, NULLS + CHANGED)
    return lake.execute(f"SELECT {is_null} FROM silver.{table.name} WHERE id IN {rows} ORDER BY id").fetchall()


def bad_rows(columns):
    """Rows that no silver can hold: the column to blame by id."""
    found = {FIRST_BAD + n: name for n, (name, _) in enumerate(BAD) if name in columns}
    return {n + offset: name for n, name in found.items() for offset in (0, INSERTED, CHANGED)}


def test_every_row_of_the_table_has_values(types):
    named = {row_name(column) for columns in types.columns.values() for column in columns.values()}
    assert named == {name for name, row in TYPES.items() if isinstance(row, TypeRule)}
    assert [name for name, values in VALUES.items() if len(values.kept) < 3] == []


@pytest.mark.parametrize("table", ["public.by_key", "public.by_row"])
def test_silver_has_the_value_or_quarantine_the_row(types, table):
    bad = bad_rows(types.columns[table])
    ids = {n for (n,) in types.source.execute(f"SELECT id FROM {table}")}
    silver = {n for (n,) in types.lake.execute(f"SELECT id FROM silver.{table.partition('.')[2]}").fetchall()}
    # A row that an update spoils stays as it was before.
    assert ids - silver == {n for n in bad if n < CHANGED}
    assert types.mismatches[table] == len(bad)
    blamed = {json.loads(r["key"])["id"]: r["reason"] for r in types.rejected if r["source_table"] == table}
    assert blamed.keys() == bad.keys()
    for n, reason in blamed.items():
        stated = rule_for(types.columns[table][bad[n]]).quarantined
        assert reason.startswith(f'column "{bad[n]}" can not be read: ')
        assert stated
        assert reason.endswith(f" ({stated})")


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_null_is_not_taken_for_the_default(types, table):
    columns = types.columns[str(table)]
    assert nulls_in(types.lake, table, columns) == [(len(columns),)] * 3


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_resync_has_the_same_values_and_nulls(types, resynced, table):
    columns = types.columns[str(table)]
    assert resynced.mismatches[str(table)] == len(bad_rows(columns))
    assert nulls_in(resynced.lake, table, columns) == [(len(columns),)] * 3


def test_days_that_java_moves_are_quarantined_by_snapshot_and_kept_by_changes(types):
    silver = types.lake.execute("SELECT id, day::text FROM silver.gap ORDER BY id").fetchall()
    days = [f"1582-10-{n:02}" for n in range(4, 16)]
    by_change = [(first + n, day) for first in (101, 201) for n, day in enumerate(days)]
    assert silver == [(1, days[0]), (12, days[-1]), *by_change]
    rejected = sorted(json.loads(r["key"])["id"] for r in types.rejected if r["source_table"] == "public.gap")
    assert rejected == list(range(2, 12))


def test_large_values_were_left_out_of_updates(types):
    events = [event for event in received(types.settings, "public.by_key") if event and event["op"] == "u"]
    afters = [event["after"] for event in events if event["after"]["other"] == 1]
    for n in (LARGE, LARGE + INSERTED, LARGE + CHANGED):
        (after,) = (row for row in afters if row["id"] == n)
        sent = {name: len(str(after[name])) for name in types.columns["public.by_key"] if VALUES[name].large}
        assert {name for name, size in sent.items() if size > 500} == set()


def test_every_outcome_is_counted(types):
    outcomes = Counter()
    for columns in types.columns.values():
        for name, column in columns.items():
            values = VALUES[name]
            # One more: the NULL in a column that has a default.
            outcomes[rule_for(column).outcome] += len(PATHS) * (len(values.kept) + (values.large is not None) + 1)
            outcomes["quarantine"] += len(PATHS) * len(values.quarantined)
    print(f"\n{len(TYPES)} types, {outcomes.total()} values by {', '.join(PATHS)}: {dict(outcomes)}")
    assert outcomes["exact"] > outcomes["quarantine"] > 0
    assert outcomes["text"] > 0
