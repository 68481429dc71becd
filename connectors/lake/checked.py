"""How far the contracts are known to hold, as the last check of them found: readers go no further.

A small file beside bronze. Of two checks at once the older one may be left: it is true all the same.
"""

import json
from dataclasses import dataclass

from connectors.lake.layout import LakeLayout
from connectors.lake.storage import read_file, write_file
from connectors.postgres.identifiers import TableName


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        up_to_batch: What is in bronze up to this batch was written under contracts that the lake has.
        paused: Tables of which that is not true.
    """

    up_to_batch: int
    paused: frozenset[TableName] = frozenset()


def record_checked(layout: LakeLayout, checked: Checked) -> None:
    """Records what a check found."""
    found = {"up_to_batch": checked.up_to_batch, "paused": sorted(map(str, checked.paused))}
    write_file(_file(layout), json.dumps(found).encode())


def read_checked(layout: LakeLayout) -> Checked | None:
    """Returns what the last check found; None: there was none."""
    found = read_file(_file(layout))
    if found is None:
        return None
    fields = json.loads(found)
    return Checked(fields["up_to_batch"], frozenset(map(TableName.parse, fields["paused"])))


def _file(layout: LakeLayout) -> str:
    return f"{layout.root}/bronze/{layout.source}/checked.json"
