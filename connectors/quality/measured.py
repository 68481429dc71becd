"""What silver tables were found to hold, so that a version is read once, not by every drain.

A small file beside bronze. Of two that write it at once the older one may be left: it is true of its files as well.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.lake.layout import LakeLayout
from connectors.lake.storage import read_file, write_file
from connectors.lake.views import PinnedTable


@dataclass(frozen=True)
class Measured:
    """What a version of a table holds.

    Attributes:
        files: What its data files are, in short.
        rows: Rows that readers see.
        newest_change: When the newest change that it shows was committed.
    """

    files: str
    rows: int
    newest_change: datetime | None


def files_of(pinned: PinnedTable) -> str:
    """Tells a table's data files apart from any others: they never change."""
    return hashlib.sha256("\n".join(sorted(pinned.files)).encode()).hexdigest()


def read_measured(layout: LakeLayout) -> dict[str, Measured]:
    """Returns what was found, by table."""
    found = read_file(_file(layout))
    rows = {} if found is None else json.loads(found)
    return {
        table: Measured(files, count, None if newest is None else datetime.fromisoformat(newest))
        for table, (files, count, newest) in rows.items()
    }


def record_measured(layout: LakeLayout, measured: Mapping[str, Measured]) -> None:
    """Records what was found."""
    rows = {
        table: (found.files, found.rows, None if found.newest_change is None else found.newest_change.isoformat())
        for table, found in measured.items()
    }
    write_file(_file(layout), json.dumps(rows).encode())


def _file(layout: LakeLayout) -> str:
    return f"{layout.root}/bronze/{layout.source}/measured.json"
