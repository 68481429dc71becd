"""Small files of bronze, merged into larger ones: only those that silver has merged, and in the order of their batches.

What is pending stays as it came: a merge takes whole files, and when it is due depends on how many rows they have.
"""

from collections.abc import Iterator, Mapping, Sequence

from deltalake import write_deltalake

from connectors.lake.bronze import SCHEMA, WRITER, BronzeFile, BronzeLog
from connectors.lake.commits import committing, optimistically
from connectors.lake.layout import LakeLayout
from connectors.lake.maintenance.steps import Step
from connectors.lake.storage import scratch_connection
from connectors.postgres.identifiers import quote_identifier, quote_literal

_SMALL = 8
"""A file of less than this part of what one may have is small."""
_IN_FOLDERS = ("source_table", "ingest_date")


def compact_bronze(
    layout: LakeLayout, *, merged: Mapping[str, int], rows: int, size: int, at_least: int, dry_run: bool
) -> list[Step]:
    """Merges small files of a source's change log, table by table and day by day.

    Args:
        layout: The lake.
        merged: Up to which batch each table of the log may be compacted; one that is not named, whole.
        rows: Rows that a file may have: a merge takes whole files.
        size: Bytes that a file may have.
        at_least: From how many small files in a row on it is worth it.
        dry_run: Only say what would be done.

    Raises:
        CommitConflict: Other writers won every race.
    """
    bronze = BronzeLog(layout)
    found = []
    for table, files in bronze.files().items():
        settled = [f for f in files if f.last_batch <= merged.get(table, bronze.batch)]
        for run in runs(settled, rows=rows, size=size, at_least=at_least):
            step = Step("compact", f"{len(run)} small files of {table}", len(run), sum(f.size for f in run))
            if dry_run or _rewrite(layout, table, run):
                found.append(step)
    return found


def runs(files: Sequence[BronzeFile], *, rows: int, size: int, at_least: int) -> Iterator[list[BronzeFile]]:
    """Yields the small files of one table that become one file each: neighbours by batch, of one day.

    Only where no other file has a batch between theirs: a run is replaced by the range of its batches.
    """
    run: list[BronzeFile] = []
    ordered = sorted(files, key=lambda f: (f.ingest_date, f.first_batch, f.last_batch))
    for n, file in enumerate(ordered):
        before = ordered[n - 1] if n else None
        is_small = file.rows < rows / _SMALL and file.size < size / _SMALL
        follows = run and file.ingest_date == run[-1].ingest_date and before is run[-1]
        fits = sum(f.rows for f in run) + file.rows <= rows and sum(f.size for f in run) + file.size <= size
        if run and not (is_small and follows and fits):
            if len(run) >= at_least and _is_apart(run, ordered):
                yield run
            run = []
        if is_small:
            run.append(file)
    if len(run) >= at_least and _is_apart(run, ordered):
        yield run


def _is_apart(run: Sequence[BronzeFile], files: Sequence[BronzeFile]) -> bool:
    day, first, last = run[0].ingest_date, run[0].first_batch, max(f.last_batch for f in run)
    within = [f for f in files if f.ingest_date == day and f.first_batch <= last and f.last_batch >= first]
    return len(within) == len(run)


def _rewrite(layout: LakeLayout, table: str, run: Sequence[BronzeFile]) -> bool:
    """Replaces a run of files by one; False: others have changed them meanwhile, and there is nothing to do."""
    day, first, last = run[0].ingest_date, run[0].first_batch, max(f.last_batch for f in run)
    in_day = f"source_table = {quote_literal(table)} AND ingest_date = CAST('{day}' AS DATE)"

    def attempt() -> bool:
        bronze = BronzeLog(layout)
        now = bronze.files().get(table, ())
        if not {f.path for f in run} <= {f.path for f in now}:
            return False
        with scratch_connection(layout.root) as connection, committing(bronze.table):
            # The files one after the other, each as it is: in the order of batches.
            columns = ", ".join(quote_identifier(name) for name in SCHEMA.names if name not in _IN_FOLDERS)
            files = ", ".join(quote_literal(f.path) for f in run)
            query = f"""SELECT {quote_literal(table)} AS source_table, DATE '{day}' AS ingest_date, {columns}
                FROM read_parquet([{files}], hive_partitioning = false)"""
            rows = connection.sql(query).to_arrow_reader().cast(SCHEMA)
            write_deltalake(
                bronze.table,
                rows,
                mode="overwrite",
                predicate=f"{in_day} AND batch >= {first} AND batch <= {last}",
                writer_properties=WRITER,
            )
        return True

    return optimistically(attempt)
