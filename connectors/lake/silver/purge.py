"""Soft-deleted rows of a silver table, and which of them can be purged: those no older change can follow.

A purge sets a purge watermark in silver's progress. Below it, a change of a key that silver lacks is late, and ignored.
So the watermark must be a position below which everything was merged.
"""

import datetime as dt
from dataclasses import dataclass, replace

from connectors.changes.decode import Messages, decode_sql
from connectors.lake.bronze import BronzeLog
from connectors.lake.commits import WRITER, committing, with_progress
from connectors.lake.layout import log_name
from connectors.lake.silver.progress import SilverProgress
from connectors.lake.silver.table import SilverTable
from connectors.lake.storage import scratch_connection
from connectors.postgres.identifiers import quote_literal


@dataclass(frozen=True)
class DeletedRows:
    """How many deleted rows a silver table has.

    Attributes:
        rows: All of them.
        old: Those that silver merged before the moment in question.
        settled: Of these, those that no older change can follow.
    """

    rows: int
    old: int
    settled: int


def merged_through(bronze: BronzeLog, silver: SilverTable) -> SilverProgress:
    """Returns silver's progress with the last marker before which all that the source committed is merged."""
    epoch = silver.progress.low_watermark.epoch
    drained = bronze.through.lsn if bronze.through.epoch == epoch else 0
    files = bronze.files(after_batch=silver.batch).get(log_name(silver.contract.table), [])
    pending = decode_sql(
        silver.columns, Messages([f.path for f in files], silver.batch, bronze.batch), placeholder=silver.placeholder
    )
    with scratch_connection(silver.uri) as connection:
        query = f"SELECT min(_cdc_prev_commit_lsn) FROM ({pending}) WHERE _cdc_epoch = {epoch}"
        [(oldest,)] = connection.execute(query).fetchall()
    through = drained if oldest is None else min(drained, oldest)
    return replace(silver.progress, purged_lsn=max(through, silver.progress.purged_lsn))


def count_deleted(silver: SilverTable, *, before: dt.datetime, progress: SilverProgress) -> DeletedRows:
    """Counts deleted rows; those are settled that lie below the purge of `progress`."""
    rows = silver.rows()
    if rows is None:
        return DeletedRows(0, 0, 0)
    with scratch_connection(silver.uri) as connection:
        query = f"""
SELECT count(*), count(*) FILTER ({_is_old(before)}), count(*) FILTER ({_is_old(before)} AND {_is_settled(progress)})
FROM {rows} WHERE _cdc_deleted
"""
        [counts] = connection.execute(query).fetchall()
    return DeletedRows(*counts)


def purge_deleted(silver: SilverTable, *, before: dt.datetime, progress: SilverProgress) -> None:
    """Purges the soft-deleted rows that are old and settled, and sets the purge watermark, in one commit.

    Raises:
        CommitConflict: A merge committed first: reload, and look again.
    """
    with committing(silver.table):
        silver.table.delete(
            f"_cdc_deleted AND {_is_old(before)} AND {_is_settled(progress)}",
            writer_properties=WRITER,
            commit_properties=with_progress(progress.as_transactions()),
        )
    silver.progress = progress


def _is_old(before: dt.datetime) -> str:
    return f"_cdc_merged_at < {quote_literal(before.astimezone(dt.UTC).isoformat())}"


def _is_settled(progress: SilverProgress) -> str:
    epoch, lsn = progress.purged[:2]
    return f"(_cdc_epoch < {epoch} OR (_cdc_epoch = {epoch} AND _cdc_prev_commit_lsn < {lsn}))"
