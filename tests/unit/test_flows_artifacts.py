"""The pages that runs leave say what happened to somebody who has not read the code."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.reports import DrainReport, DriftReport, MergeReport, RebuildReport, ReplayReport
from connectors.cdc.sync import SyncReport
from connectors.changes.schema_changes import Difference
from connectors.errors import ContractMismatch
from connectors.loads.reports import LoadReport, LoadStatus
from connectors.postgres.identifiers import TableName
from connectors.postgres.lsn import format_lsn
from connectors.quality.reports import SourceLag, TableComparison, TableState
from tasks.artifacts import (
    DbtNode,
    render_build,
    render_drain,
    render_freshness,
    render_rebuild,
    render_reconciliation,
    render_replay,
)
from tasks.cost import Cost
from tasks.load_artifacts import render_load, render_load_freshness
from tasks.summaries import summarise_load

ORDERS = TableName("public", "orders")
ODD = TableName("public", "odd|name")
COST = Cost(seconds=3.21, cpu_seconds=2.5, peak_bytes=310_400_000)


def drained(**changes):
    report = {"source": "shop", "messages": 12345, "batches": 2, "through_lsn": 0x1_0000_00FF, "seconds": 1.26}
    return DrainReport(**({"version": 3} | report | changes))


def synced(outcomes, **changes):
    return SyncReport(drained(**changes), ContractCheck(0), [], outcomes)


def loaded(**changes):
    report = {"source": "web", "table": "clicks", "rows": 12345, "commits": 2, "rejected": 3, "new_columns": ("page",)}
    facts = {"read_bytes": 2_500_000, "consumed_capacity": 7.5, "notes": ("a.csv was overwritten",), "version": 4}
    return LoadReport(**(report | facts | {"seconds": 1.26} | changes))


CLICKS, CARTS = TableName("web", "clicks"), TableName("web", "carts")


def test_load_page_shows_what_each_table_got():
    page = render_load("web", {CLICKS: loaded(), CARTS: ContractMismatch("frozen | shut")}, COST)
    assert "| clicks | 12,345 | 3 | 2 | 2.5 | 7.5 | page | 1.3 |" in page
    assert "| carts | **failed**: ContractMismatch |" in page
    assert "| web.carts | frozen \\| shut |" in page
    assert "- a.csv was overwritten" in page
    assert "310 MB" in page


def test_freshness_page_of_loads_shows_age_and_rejects():
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    states = [
        LoadStatus("web", "clicks", 1234, now - timedelta(minutes=90), 5, 4),
        LoadStatus("web", "carts", 0, None, 0, None),
    ]
    page = render_load_freshness("web", states, now=now)
    assert "| clicks | 1,234 | 2026-05-01 10:30:00 | 1 h 30 min | 5 | 4 |" in page
    assert "| carts | 0 | never |" in page


@pytest.mark.parametrize(
    ("reports", "failed", "summary"),
    [
        ([loaded(), loaded(rows=1, rejected=0)], 0, "12,346 rows in 2 tables, 3 rejected"),
        ([loaded(rows=0, rejected=0)], 0, "nothing new"),
        ([], 2, "nothing new, 2 failed"),
    ],
)
def test_a_load_is_summed_up_in_a_line(reports, failed, summary):
    assert summarise_load(reports, failed=failed) == summary


def test_drain_page_shows_what_moved_per_table():
    merged = MergeReport(table=ORDERS, batch=17, changes=1234, rejected=1, seconds=0.44, version=9)
    page = render_drain(synced({ORDERS: merged}), COST)
    assert "12,345 messages" in page
    assert "2 micro-batches and 1.3 s, through LSN 1/FF." in page
    assert "| table | changes | rejected | up to batch | seconds |\n| :-- | --: | --: | --: | --: |" in page
    assert "| public.orders | 1,234 | 1 | 17 | 0.4 |" in page
    assert "**rejected**: messages that can't be read" in page
    assert "This run took 3.2 s and 2.5 s of CPU, with a peak of 310 MB of memory." in page


def test_drain_page_shows_which_table_failed():
    page = render_drain(synced({ODD: ContractMismatch("a column is gone")}), COST)
    assert r"| public.odd\|name | **failed**: ContractMismatch |  |  |  |" in page


def test_drain_page_shows_whose_definition_changed():
    checked = ContractCheck(0, followed={ORDERS: [Difference("column added", "note")]}, dropped=(ODD,))
    settled = [DriftReport(ORDERS, "resynced", "table rewritten; 2 rows differ", 1234, 2.5)]
    page = render_drain(SyncReport(drained(), checked, settled, {}), COST)
    assert "| public.orders | column added: note |" in page
    assert "| public.orders | resynced | table rewritten; 2 rows differ | 1,234 | 2.5 |" in page
    assert "Dropped at the source: public.odd|name." in page


def test_drain_page_without_pending_tables_says_so():
    page = render_drain(synced({}, messages=0, batches=0, through_lsn=0), COST)
    assert "Every table was up to date." in page
    assert "LSN" not in page


def test_freshness_page_shows_the_age_of_each_table():
    now = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
    states = [
        TableState(ORDERS, version=9, rows=1234, newest_change=now - timedelta(seconds=95)),
        TableState(ODD, version=0, rows=0, newest_change=None),
    ]
    lag = SourceLag(behind_bytes=1_500_000, retained_bytes=3_000_000, reading=True)
    page = render_freshness("shop", states, lag, now=now)
    assert "Measured at 2026-01-05 12:00:30 UTC." in page
    assert "Replication lag: 1.5 MB of WAL. Retained WAL: 3.0 MB" in page
    assert "| public.orders | 1,234 | 2026-01-05 11:58:55 | 1 min 35 s | 9 |" in page
    assert r"| public.odd\|name | 0 | never |  | 0 |" in page
    assert page.index("odd") > page.index("orders")


@pytest.mark.parametrize(
    ("lag", "says"),
    [
        (SourceLag(behind_bytes=0, retained_bytes=0, reading=False), "**Nothing reads the WAL now"),
        (SourceLag(behind_bytes=None, retained_bytes=None, reading=False), "**The source is not captured"),
        (
            SourceLag(behind_bytes=5, retained_bytes=None, reading=False),
            "**Changes are lost**: the server does not retain the WAL",
        ),
    ],
)
def test_freshness_page_says_what_is_wrong_with_capturing(lag, says):
    assert says in render_freshness("shop", [], lag, now=datetime(2026, 1, 5, tzinfo=UTC))


def test_rebuild_page_shows_how_much_was_wrong():
    report = RebuildReport(table=ORDERS, changes=7, rows=1200, differing=3, version=4, seconds=1.26)
    assert "| public.orders | 1,200 | 3 | 1.3 |" in render_rebuild("resync", [report])


def test_reconciliation_page_names_the_rows_that_differ():
    same = TableComparison(table=ORDERS, source_rows=1200, silver_rows=1200, mismatches=0, keys=())
    other = TableComparison(table=ODD, source_rows=3, silver_rows=2, mismatches=1, keys=("missing id=a|b",))
    page = render_reconciliation("shop", [same, other])
    assert "1 of 2 tables differ." in page
    assert "| public.orders | 1,200 | 1,200 | 0 |" in page
    assert "**public.odd|name**: missing id=a\\|b" in page
    assert "Every table equals its source." in render_reconciliation("shop", [same])


def test_replay_page_shows_what_became_of_messages():
    report = ReplayReport(table=ORDERS, replayed=1200, superseded=3, rejected=1, seconds=1.26)
    assert "| public.orders | 1,200 | 3 | 1 | 1.3 |" in render_replay([report])
    assert "Nothing was rejected." in render_replay([])


def test_build_page_shows_failures_first():
    nodes = [
        DbtNode(kind="model", name="dim_customers", status="success", seconds=0.52, message="OK"),
        DbtNode(kind="test", name="unique_orders", status="fail", seconds=0.1, message="Got 2\nresults"),
        DbtNode(kind="model", name="fct_orders", status="skipped", seconds=0, message=None),
    ]
    page = render_build(nodes, COST)
    assert "2 models and 1 test; 2 failed or skipped." in page
    assert "| unique_orders | Got 2 results |\n| fct_orders | skipped |" in page
    assert page.index("unique_orders") < page.index("| dim_customers | success | 0.5 |")


def test_position_is_written_as_postgresql_does():
    assert format_lsn(0x16B3748) == "0/16B3748"
