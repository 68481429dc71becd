"""Tables of PostgreSQL that are not captured are read in bulk, with the types that silver would have."""

import json
from datetime import date

import pytest

from connectors.errors import ConfigurationError, ServiceUnavailable
from connectors.loads import sql_tables
from connectors.loads.load import load_table
from connectors.loads.window import Window
from connectors.postgres.connection import connect
from tests.loads import load_settings, quarantined, rows

VISITS = {
    "table": "public.visits",
    "mode": "incremental",
    "key": ["id"],
    "cursor": "changed",
    "lookback": "1 minute",
    "day": "started",
}


@pytest.fixture
def settings(database, tmp_path):
    tables = {"visits": VISITS, "things": {"table": 'Odd."Things"'}}
    source = {"legacy": {"type": "sql_tables", "tables": tables}}
    return load_settings(tmp_path, source, postgres=database)


@pytest.fixture
def source(settings):
    with connect(settings.postgres) as connection:
        connection.execute(
            "create table visits"
            " (id int primary key, page text, changed timestamptz, started date default '2026-01-01')"
        )
        yield connection


def load(settings, table="visits", **options):
    return load_table(settings, "legacy", table, **options)


def visits(settings, columns="id, page"):
    return rows(settings, f"select {columns} from legacy.visits order by id")


def test_every_type_is_as_silver_has_it(settings, source):
    source.execute("create schema \"Odd\"; create type mood as enum ('glad', 'sad')")
    source.execute("""
create table "Odd"."Things" ("Id" bigint, small smallint, price numeric(12, 2), free numeric, ratio float8, part real,
    flag bool, day date, at timestamptz, wall timestamp, raw bytea, doc jsonb, words text[], numbers int[],
    span interval, mood mood, code uuid, cost money, clock time, tags json[])
""")
    source.execute("""
insert into "Odd"."Things" values (9007199254740993, 1, 1234567890.10, 1e-20, 0.1, 0.1, true, '2026-02-28',
    '2026-02-28 23:59:59.123456+01', '2026-03-01 00:00', '\\x00ff', '{"a": [1.10]}', '{a,NULL,"b,c"}', '{1,NULL}',
    '1 year 2 days 03:00', 'sad', '5fc1ab1c-8e2f-4f39-b2d7-98ba30a2e8be', 12.30, '24:00', array['{"x": 1}'::json]);
insert into "Odd"."Things" values (2)
""")
    load(settings, "things")
    found = rows(settings, "select * exclude (_loaded_at) from legacy.things order by id desc")
    kinds = dict(row[:2] for row in rows(settings, "describe legacy.things"))
    assert kinds["price"] == "DECIMAL(38,2)"
    assert kinds["at"] == kinds["wall"] == "TIMESTAMP WITH TIME ZONE"
    assert [str(v) for v in found[0][:8]] == [
        *("9007199254740993", "1", "1234567890.10", "0.00000000000000000001", "0.1", "0.10000000149011612", "True"),
        "2026-02-28",
    ]
    assert found[0][8].isoformat() == "2026-02-28T22:59:59.123456+00:00"
    assert found[0][10] == b"\0\xff"
    assert [json.loads(v) for v in found[0][11:14]] == [{"a": [1.10]}, ["a", None, "b,c"], [1, None]]
    assert found[0][14:17] == ("P1Y2DT3H", "sad", "5fc1ab1c-8e2f-4f39-b2d7-98ba30a2e8be")
    assert [str(v) for v in found[0][17:]] == ["12.30", "24:00:00", '["{\\"x\\": 1}"]']
    assert found[1][1:] == (None,) * (len(found[1]) - 1)


def test_only_what_is_new_by_the_cursor_is_read(settings, source):
    source.execute(
        "insert into visits"
        " select n, 'a', '2026-01-01'::timestamptz + n * interval '1 hour' from generate_series(1, 100) n"
    )
    assert load(settings).rows == 100
    source.execute("update visits set page = 'b', changed = '2026-02-01' where id = 1")
    source.execute("insert into visits values (101, 'late', '2026-01-05 03:59:30'), (102, null, null)")
    assert load(settings).rows == 4  # the last one again, by the lookback
    found = dict(visits(settings))
    assert (found[1], found[101], len(found)) == ("b", "late", 102)


def test_a_full_load_replaces_all(settings, source):
    source.execute(
        'create schema "Odd"; create table "Odd"."Things" (id int); insert into "Odd"."Things" values (1), (2)'
    )
    load(settings, "things")
    source.execute('delete from "Odd"."Things" where id = 1; alter table "Odd"."Things" add more text default \'x\'')
    report = load(settings, "things")
    assert report.new_columns == ("more",)
    assert rows(settings, "select id, more from legacy.things") == [(2, "x")]
    source.execute('delete from "Odd"."Things"')
    load(settings, "things")
    assert rows(settings, "select count(*) from legacy.things") == [(0,)]


def test_a_day_is_replaced_and_its_deleted_rows_go(settings, source):
    source.execute("insert into visits select n, 'a', now(), date '2026-01-01' + n % 3 from generate_series(1, 9) n")
    load(settings)
    source.execute(
        "delete from visits where id = 3; update visits set page = 'b';"
        "update visits set started = '2026-01-03' where id = 6"
    )
    load(settings, window=Window(date(2026, 1, 1), date(2026, 1, 2), again=True))
    # 3 and 6 left that day; 6 is read again with its new one.
    assert visits(settings) == [(n, "b" if n == 9 else "a") for n in (1, 2, 4, 5, 7, 8, 9)]
    load(settings, window=Window(date(2026, 1, 3), date(2026, 1, 4), again=True))
    assert visits(settings, "id") == [(n,) for n in (1, 2, 4, 5, 6, 7, 8, 9)]


def test_a_value_that_does_not_fit_is_rejected_once(settings, source):
    source.execute("insert into visits values (1, 'a', '2026-01-01'), (2, 'b', 'infinity'), (3, 'c', '2026-01-02')")
    load(settings)
    assert visits(settings) == [(1, "a"), (3, "c")]
    load(settings, window=Window(again=True))
    assert quarantined(settings, "source_table, decode(key), reason") == [
        ("legacy.visits", "public.visits", "column changed is no timestamp: infinity")
    ]


def test_a_load_of_an_empty_table_hides_no_older_row(settings, source):
    load(settings)
    source.execute("insert into visits values (1, 'a', '2020-01-01')")
    assert load(settings).rows == 1


@pytest.mark.parametrize("strange", ["infinity", "2099-01-01"])
def test_a_strange_time_hides_nothing_that_changes_later(settings, source, strange):
    source.execute("insert into visits values (1, 'a', now()), (2, 'b', %s::timestamptz)", [strange])
    load(settings)
    source.execute("insert into visits values (3, 'c', now())")
    load(settings)
    assert (3, "c") in visits(settings)


def test_a_table_that_is_altered_during_the_scan_is_read_as_it_was(settings, source, monkeypatch):
    source.execute("insert into visits select n, 'a', now() from generate_series(1, 3) n")

    original = sql_tables._Snapshot.read

    def meanwhile(self, reading):
        source.execute("alter table visits drop column page")
        return original(self, reading)

    with monkeypatch.context() as patched:
        patched.setattr(sql_tables._Snapshot, "read", meanwhile)
        with pytest.raises(ServiceUnavailable, match="it may have been altered while it was read"):
            load(settings)
    assert load(settings).rows == 3


def test_a_password_that_is_wrong_is_said_and_not_shown(settings, source):
    wrong = settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"password": "hunter2"})})
    wrong = type(settings).model_validate(wrong.model_dump())
    with pytest.raises(ConfigurationError, match="refused the log-in") as caught:
        load(wrong)
    assert "hunter2" not in str(caught.value)


def test_an_own_database_is_named_by_a_variable(settings, source, monkeypatch):
    given = settings.postgres
    address = (
        f"postgresql://{given.user}:{given.password.get_secret_value()}@{given.host}:{given.port}/{given.database}"
    )
    text = settings.loads.file.read_text().replace("type: sql_tables", "type: sql_tables\n    url_variable: OLD_DB")
    settings.loads.file.write_text(text)
    with pytest.raises(ConfigurationError, match="OLD_DB is not set"):
        load(settings)
    monkeypatch.setenv("OLD_DB", address)
    source.execute("insert into visits values (1, 'a', now())")
    assert load(settings).rows == 1


def test_what_the_table_lacks_is_said(settings, source):
    source.execute("alter table visits rename changed to touched")
    with pytest.raises(ConfigurationError, match=r"public.visits has no column changed"):
        load(settings)
    with pytest.raises(ConfigurationError, match="there is no table"):
        load(settings, "things")
