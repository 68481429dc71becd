"""Days of a mart are replaced exactly, from its parents as they are; a day that fails its tests is left as it was."""

import json
from datetime import timedelta

import duckdb

from tests.integration.test_dbt import Home
from tests.shop_lake import write_shop_lake

SALES = "select * from marts.fct_daily_sales order by all"


def lakehouse(home, *arguments):
    process = home.start("-c", "from deployments.cli import app; app()", *arguments)
    output, _ = process.communicate()
    return process.returncode, output


def test_three_days_are_replaced_and_a_fourth_that_fails_is_left(tmp_path):
    home = Home(tmp_path)
    write_shop_lake(home.lake, orders=60)
    code, output = home.dbt("run", "--select", "+fct_daily_sales")
    assert code == 0, output
    with duckdb.connect(home.folder / "gold.duckdb") as gold:
        right = gold.sql(SALES).fetchall()
        days = sorted({row[0] for row in right})
        first = days[len(days) // 2]
        span = [first + timedelta(days=n) for n in range(3)]
        bad = first + timedelta(days=3)
        outside = days[0]
        # Wrong amounts, a day that has no sales, a day that is gone: within the range and, once, outside of it.
        gold.execute("update marts.fct_daily_sales set gross_sales = 1 where order_date in (?, ?)", [first, outside])
        gold.execute("delete from marts.fct_daily_sales where order_date = ?", [span[2]])
        gold.execute(
            "insert into marts.fct_daily_sales by name select * replace (date '2001-01-01' as order_date)"
            " from marts.fct_daily_sales limit 1"
        )
        gold.execute("update marts.fct_daily_sales set order_date = ? where order_date = '2001-01-01'", [span[1]])
        gold.execute("update marts.fct_daily_sales set currency = 'XXX' where order_date = ?", [span[1]])
        gold.execute("update marts.fct_daily_sales set currency = 'XXX' where order_date = ?", [bad])
        gold.execute(
            "insert into marts.fct_orders by name"
            " select * replace (cast(? as date) as order_date, null as currency) from marts.fct_orders limit 1",
            [bad],
        )
        of_bad_day = gold.execute(f"select * from ({SALES}) where order_date = ?", [bad]).fetchall()
    until = str(bad + timedelta(days=1))
    code, output = lakehouse(home, "backfill", "fct_daily_sales", "--since", str(first), "--until", until)
    assert code == 1, output
    assert f"1 of 4 partitions failed: {bad}" in output
    assert "not_null_fct_daily_sales_currency" in output

    with duckdb.connect(home.folder / "gold.duckdb", read_only=True) as gold:
        now = gold.sql(SALES).fetchall()
    assert [row for row in now if row[0] in span] == [row for row in right if row[0] in span]
    assert [row for row in now if row[0] == bad] == of_bad_day
    assert [row[0] for row in now if row not in right and row[0] != bad] == [outside]
    assert {row[0] for row in now} == {row[0] for row in right}

    code, output = lakehouse(home, "partitions", "fct_daily_sales", "--json")
    shown = json.loads(output)
    assert [(p["partition"], p["state"], p["attempt"]) for p in shown] == [
        *((str(day), "done", 1) for day in span),
        (str(bad), "failed", 1),
    ]
    assert [p["rows"] for p in shown[:3]] == [sum(row[0] == day for row in right) for day in span]
