"""Reconciliation: compares the silver tables of a source with its tables.

The comparison is of two moments: of the source when its first table is read, of silver when it is pinned.
It is quiet only if silver was drained through all that was committed, and nothing changed in between.
"""

import shlex
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

import duckdb
import psycopg

from connectors.errors import ReconciliationMismatch
from connectors.lake.contract_log import captured_tables
from connectors.lake.layout import view_name
from connectors.lake.storage import duckdb_connection
from connectors.lake.views import SCHEMA, PinnedTable, pin_silver, register_views
from connectors.postgres.catalog import read_tables
from connectors.postgres.checks import require_ready, row_security_findings
from connectors.postgres.connection import Connection, connect
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.quality.canonical import register_macros
from connectors.quality.comparison import compare_table
from connectors.quality.reports import TableComparison
from connectors.settings import Settings


def reconcile_source(settings: Settings, tables: Sequence[str] = ("*.*",)) -> list[TableComparison]:
    """Compares the captured tables of a source, all read in one snapshot, with their silver tables.

    Args:
        settings: Where the source and the lake are.
        tables: Patterns `schema.table` of the captured tables to compare.

    Raises:
        ConfigurationError: No captured table is meant.
        SourceNotReady: Row security hides rows of a table: what is hidden would be taken for deleted.
    """
    chosen = captured_tables(settings, tables)
    with connect(settings.postgres) as source, comparing_connection(settings.lake.root) as lake, one_snapshot(source):
        # As the catalogue has them now: a column that capturing does not know of yet is compared, too.
        contracts = read_visible(source, chosen)
        silver = pin_silver(settings.lake.root, settings.cdc.source, chosen)
        register_views(lake, silver)
        relations = {pinned.table: _relation(pinned) for pinned in silver.tables}
        compared = [
            compare_table(contract, source=source, lake=lake, relation=relations.get(contract.table))
            for contract in contracts
        ]
        gone = set(chosen) - {contract.table for contract in contracts}
        return [*compared, *(_gone(lake, table, relations.get(table)) for table in sorted(gone))]


def require_equal(
    comparisons: Iterable[TableComparison], *, find_moved: Callable[[], Collection[TableName]] | None = None
) -> None:
    """Does nothing if all tables are equal.

    Args:
        comparisons: What was compared.
        find_moved: Finds the tables that were written to at the source since silver was drained; called where some
            differ. None: silver was not drained.

    Raises:
        ReconciliationMismatch: Some are not; names them and their keys, and what to do.
    """
    wrong = [found for found in comparisons if found.mismatches]
    if wrong:
        lines = [f"{found.table} (mismatches: {found.mismatches:,}): {'; '.join(found.keys)}" for found in wrong]
        raise ReconciliationMismatch(
            "silver differs from its source\n" + "\n".join(lines),
            hint=_what_to_do(wrong, None if find_moved is None else find_moved()),
            comparisons=wrong,
        )


def _what_to_do(wrong: list[TableComparison], moved: Collection[TableName] | None) -> str:
    there = [found.table for found in wrong if not found.gone]
    advice = []
    if len(there) < len(wrong):
        advice.append("tables that are gone from the source are compared until `lakehouse source register` ends that")
    if moved is None:
        advice.append("what is not drained yet differs, too: drain, and compare again")
        return "; ".join(advice)
    moving, still = ([table for table in there if (table in moved) is wanted] for wanted in (True, False))
    if still:
        tables = " ".join(shlex.quote(str(table)) for table in still)
        advice.append(f"nothing was written meanwhile to these tables: `lakehouse resync {tables}` reads them again")
    if moving:
        names = ", ".join(map(str, moving))
        advice.append(f"rows of {names} were written while they were compared: compare again when that has ended")
    return "; ".join(advice)


def read_visible(
    source: Connection, tables: Sequence[TableName], *, publication: str | None = None
) -> list[TableContract]:
    """Returns the contracts of tables, as far as they exist, whose rows the user sees all of.

    Raises:
        SourceNotReady: Row security hides rows of a table.
    """
    found, role = read_tables(source, tables, publication=publication), quote_identifier(source.info.user)
    require_ready([finding for table in found for finding in row_security_findings(table, role)])
    return [table.contract for table in found]


def _gone(lake: duckdb.DuckDBPyConnection, table: TableName, relation: str | None) -> TableComparison:
    rows = 0 if relation is None else lake.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]
    return TableComparison(table, 0, int(rows), max(int(rows), 1), ("the table is gone from the source",), gone=True)


def _relation(pinned: PinnedTable) -> str:
    return f"{SCHEMA}.{quote_identifier(view_name(pinned.table))}"


@contextmanager
def one_snapshot(connection: Connection) -> Iterator[None]:
    """A transaction that sees the source at one moment, for as long as it takes."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        # Another connection works meanwhile.
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


@contextmanager
def comparing_connection(root: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens DuckDB for comparisons with the source."""
    with tempfile.TemporaryDirectory() as spill, duckdb_connection(root) as lake:
        lake.execute("SET temp_directory = ?", [spill])
        register_macros(lake)
        yield lake
