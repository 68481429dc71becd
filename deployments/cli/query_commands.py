"""`lakehouse query`: SQL over the whole lake."""

import csv
import json
import shutil
import sys
from typing import Annotated

import duckdb
import typer

from connectors.errors import ConfigurationError
from connectors.lake.reader import query_lake
from connectors.settings import load_settings

PANEL = "Data"
_SHOWN_ROWS = 50


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel=PANEL)(query)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT in DuckDB's SQL, or `show tables`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print all rows as one JSON array of objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all rows as CSV with a header.")] = False,
) -> None:
    """Query the lake, read-only: schemas silver, staging, marts, bronze (change log), quarantine.

    `show tables` lists everything. Without --json or --csv, output is cut to the terminal and says so.

    Example: lakehouse query "select * from marts.fct_daily_sales order by order_date desc"
    """
    if as_json and as_csv:
        raise ConfigurationError("--json and --csv exclude each other", hint="Leave one of them out.")
    with query_lake(load_settings(), sql) as result:
        if as_json:
            _print_json(result)
        elif as_csv:
            _print_csv(result)
        else:
            width = shutil.get_terminal_size().columns
            result.show(max_width=width, max_rows=_SHOWN_ROWS, null_value="")


def _print_json(result: duckdb.DuckDBPyRelation) -> None:
    """What JSON has no type for (decimals, timestamps) becomes text."""
    rows = [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]
    typer.echo(json.dumps(rows, default=str, ensure_ascii=False))


def _print_csv(result: duckdb.DuckDBPyRelation) -> None:
    """NULL is empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(result.columns)
    for batch in result.to_arrow_reader():
        writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
