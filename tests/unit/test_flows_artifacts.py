"""The pages that runs leave say what happened to somebody who has not read the code."""

from connectors.errors import ContractMismatch
from connectors.postgres.identifiers import TableName
from connectors.reports import DrainReport, MergeReport, RebuildReport, ReplayReport, TableComparison
from tasks.artifacts import (
    DbtNode,
    format_lsn,
    render_build,
    render_drain,
    render_rebuild,
    render_reconciliation,
    render_replay,
)

ORDERS = TableName("public", "orders")
ODD = TableName("public", "odd|name")


def drained(**changes):
    report = {"source": "shop", "messages": 12345, "batches": 2, "through_lsn": 0x1_0000_00FF, "seconds": 1.26}
    return DrainReport(**(report | changes))


def test_drain_page_shows_what_moved_per_table():
    merged = MergeReport(table=ORDERS, batch=17, changes=1234, rejected=1, seconds=0.44, version=9)
    page = render_drain(drained(), {ORDERS: merged})
    assert "12,345 messages" in page
    assert "2 batches and 1.3 s, through LSN 1/FF." in page
    assert "| table | changes | rejected | up to batch | seconds |\n| :-- | --: | --: | --: | --: |" in page
    assert "| public.orders | 1,234 | 1 | 17 | 0.4 |" in page
    assert "**rejected**: messages that could not be read" in page


def test_drain_page_shows_which_table_failed():
    page = render_drain(drained(), {ODD: ContractMismatch("a column is gone")})
    assert r"| public.odd\|name | **failed**: ContractMismatch |  |  |  |" in page


def test_drain_page_without_pending_tables_says_so():
    page = render_drain(drained(messages=0, batches=0, through_lsn=0), {})
    assert "Every table was up to date already." in page
    assert "LSN" not in page


def test_rebuild_page_shows_how_much_was_wrong():
    report = RebuildReport(table=ORDERS, changes=7, rows=1200, differing=3, version=4, seconds=1.26)
    assert "| public.orders | 1,200 | 3 | 1.3 |" in render_rebuild([report])


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
    page = render_build(nodes)
    assert "2 models and 1 checks on them; 2 failed or were skipped." in page
    assert "| unique_orders | Got 2 results |\n| fct_orders | skipped |" in page
    assert page.index("unique_orders") < page.index("| dim_customers | success | 0.5 |")


def test_position_is_written_as_postgresql_does():
    assert format_lsn(0x16B3748) == "0/16B3748"
