"""What faults must leave whole: silver equal to its source, every message once in bronze, progress only forward."""

import json
from collections import Counter
from dataclasses import dataclass, field

import fsspec

from connectors.changes.order import Position
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import latest_contracts
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import data_files, open_table, scratch_connection
from connectors.postgres.identifiers import quote_identifier
from connectors.postgres.patterns import select
from connectors.quality.reconcile import reconcile_source

_POSITION = "v1/position/"
_BATCH = ("v1/batch",)
_PROGRESS = [
    _BATCH,
    ("v1/marker_epoch", "v1/marker_lsn"),
    ("v1/through_epoch", "v1/through_lsn"),
    ("v1/snapshot_epoch", "v1/snapshot_lsn"),
    tuple(f"v1/floor/{name}" for name in Position._fields),
]
"""Numbers that only grow, each group of them in the order of tuples. Other numbers are no progress."""


@dataclass(frozen=True)
class Verdict:
    """What an audit found.

    Attributes:
        lost: Rows or values of the source that silver does not have.
        doubled: Messages that bronze has again, rows that silver has too many.
        regressed: Numbers of progress that went back.
        details: What differs, in words.
    """

    lost: int = 0
    doubled: int = 0
    regressed: int = 0
    details: tuple[str, ...] = field(default=())

    def __add__(self, other):
        return Verdict(
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.regressed + other.regressed,
            self.details + other.details,
        )

    @property
    def good(self):
        """Nothing is wrong."""
        return self == Verdict()


class Audit:
    """Looks at a lake again and again, each time at what is new since the last time."""

    def __init__(self, settings):
        self._settings = settings
        self._layout = LakeLayout.of(settings)
        # One of its own: a file system that is kept goes on to ask the S3 of an earlier test.
        self._files, _ = fsspec.url_to_fs(settings.lake.root, skip_instance_cache=True)
        self._addresses = set()
        self._batch = 0
        self._versions = Counter()
        self._progress = {}

    def look(self, patterns):
        """Audits bronze, the progress of all tables, and the rows of those that the patterns mean."""
        tables = select(patterns, latest_contracts(self._layout))
        rows = [self._rows(patterns), self._keys(tables)] if tables else []
        return sum([*rows, self._messages(), self._commits()], Verdict())

    def _rows(self, patterns):
        """Silver against the source."""
        found = Verdict()
        for table in reconcile_source(self._settings, patterns):
            if table.mismatches:
                extra = min(table.mismatches, max(0, table.silver_rows - table.source_rows))
                found += Verdict(table.mismatches - extra, extra, 0, (f"{table.table}: {'; '.join(table.keys)}",))
        return found

    def _keys(self, tables):
        """Keys that silver has twice, also among deleted rows."""
        found = Verdict()
        contracts = latest_contracts(self._layout)
        for table in tables:
            uri = self._layout.silver(table)
            key = ", ".join(map(quote_identifier, contracts[table].key))
            silver = open_table(uri)
            files = [] if silver is None or not key else [file["path"] for file in data_files(uri, silver)]
            if files:
                [(rows, keys)] = self._query(f"SELECT count(*), count(DISTINCT ({key})) FROM {_parquet(files)}")
                if rows > keys:
                    found += Verdict(doubled=rows - keys, details=(f"{table}: {rows - keys} rows of one key",))
        return found

    def _messages(self):
        """Messages that bronze has more than once."""
        bronze = BronzeLog(self._layout)
        files = [file.path for of_table in bronze.files(after_batch=self._batch).values() for file in of_table]
        if not files:
            return Verdict()
        new = self._query(
            f"SELECT topic_id, stream_partition, stream_offset FROM {_parquet(files)} WHERE batch > {self._batch}"
        )
        known = len(self._addresses)
        self._addresses.update(new)
        self._batch = bronze.batch
        again = known + len(new) - len(self._addresses)
        return Verdict(doubled=again, details=(f"bronze: {again} messages again",) if again else ())

    def _commits(self):
        """Numbers of progress that went back, in any commit since the last time."""
        found = Verdict()
        contracts = latest_contracts(self._layout)
        for uri in [self._layout.bronze, *map(self._layout.silver, contracts)]:
            for names, reached in self._new_progress(uri):
                last = self._progress.get((uri, names), (-1,))
                # Every commit to bronze takes a number of its own.
                again = reached == last and uri == self._layout.bronze and names == _BATCH
                if reached < last or again:
                    found += Verdict(regressed=1, details=(f"{uri}: {names} went from {last} to {reached}",))
                self._progress[uri, names] = reached
        return found

    def _new_progress(self, uri):
        """Names and values of all progress that was committed since the last time, in order."""
        while True:
            try:
                commit = self._files.cat_file(f"{uri}/_delta_log/{self._versions[uri]:020}.json")
            except FileNotFoundError:
                return
            self._versions[uri] += 1
            transactions = [action["txn"] for action in map(json.loads, commit.splitlines()) if "txn" in action]
            numbers = {transaction["appId"]: transaction["version"] for transaction in transactions}
            groups = [*_PROGRESS, *((name,) for name in numbers if name.startswith(_POSITION))]
            yield from ((group, tuple(numbers[n] for n in group)) for group in groups if group[0] in numbers)

    def _query(self, sql):
        with scratch_connection(self._settings.lake.root) as connection:
            return connection.execute(sql).fetchall()


def _parquet(files):
    return f"read_parquet({files!r}, union_by_name = true, hive_partitioning = false)"
