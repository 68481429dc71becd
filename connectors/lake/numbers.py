"""The numbers that a table's commits carry, of which the newest of each name counts: progress and positions.

Read from as few files of the log as will do: mostly from the newest commit alone. delta-rs would read everything since
the last checkpoint anew for each name that it is asked for, which on S3 is hundreds of requests.
"""

import io
import json
from collections.abc import Iterator

import pyarrow.parquet as pq
from deltalake import DeltaTable

from connectors.lake.storage import read_log, storage_errors


class Numbers:
    """The numbers of one version of a table.

    Args:
        table: The table, at that version.
    """

    def __init__(self, table: DeltaTable) -> None:
        self._table = table
        self._version = table.version()
        self._found: dict[str, int] = {}
        self._steps = self._read()
        self._complete = False

    def get(self, name: str) -> int | None:
        """Returns the number of a name; None if no commit ever carried it.

        Raises:
            ConfigurationError: The storage refuses.
            ServiceUnavailable: The storage failed.
        """
        with storage_errors(self._table.table_uri):
            while name not in self._found and next(self._steps, None):
                pass
            if name not in self._found and not self._complete:
                return self._table.transaction_version(name)
        return self._found.get(name)

    def _read(self) -> Iterator[bool]:
        """Reads the log backwards: the newest commit; then those back to the last checkpoint, and the checkpoint.

        Gives up where the log is not as we write it, or the table is open at a version before the checkpoint.
        """
        newest, last = read_log(self._table, [_commit(self._version), "_last_checkpoint"])
        if newest is not None:
            self._take(newest)
            yield True
        checkpoint = {"version": -1} if last is None else json.loads(last)
        since = checkpoint["version"] + 1
        if since > self._version + 1 or "parts" in checkpoint or "v2Checkpoint" in checkpoint:
            return
        commits = read_log(self._table, [_commit(version) for version in range(self._version - 1, since - 1, -1)])
        if None in commits or (newest is None and since <= self._version):
            return
        for commit in filter(None, commits):
            self._take(commit)
        if since > 0:
            [content] = read_log(self._table, [f"{checkpoint['version']:020}.checkpoint.parquet"])
            if content is None:
                return
            for action in pq.read_table(io.BytesIO(content), columns=["txn"]).column("txn").drop_null().to_pylist():
                self._found.setdefault(action["appId"], action["version"])
        self._complete = True

    def _take(self, commit: bytes) -> None:
        """Takes the numbers of a commit that no newer one has."""
        for line in commit.splitlines():
            action = json.loads(line).get("txn") if b'"txn"' in line else None
            if action is not None:
                self._found.setdefault(action["appId"], action["version"])


def reached(table: DeltaTable, name: str) -> int | None:
    """Returns one number of a table's version; see `Numbers`."""
    return Numbers(table).get(name)


def _commit(version: int) -> str:
    return f"{version:020}.json"
