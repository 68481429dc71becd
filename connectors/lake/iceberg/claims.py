"""Which versions of a Delta table Iceberg reads, and whose its files are: vacuum obeys.

A small file beside the data, written before Iceberg's own commit: killed between, a version too many is kept.
"""

import json
from dataclasses import asdict, dataclass

from connectors.lake.storage import read_file, write_file


@dataclass(frozen=True)
class Claim:
    """What Iceberg holds on to.

    Attributes:
        table: The Iceberg table.
        versions: Versions of the Delta table whose files it reads, or is about to.
        migrated: All files are Iceberg's, whatever the Delta table makes of them.
    """

    table: str
    versions: tuple[int, ...]
    migrated: bool = False


def read_claim(uri: str) -> Claim | None:
    """Returns what Iceberg holds on to of a Delta table; None: nothing."""
    found = read_file(_file(uri))
    if found is None:
        return None
    fields = json.loads(found)
    return Claim(fields["table"], tuple(fields["versions"]), fields["migrated"])


def write_claim(uri: str, claim: Claim) -> None:
    """Replaces the claim on a Delta table."""
    write_file(_file(uri), json.dumps(asdict(claim)).encode())


def _file(uri: str) -> str:
    # Vacuum leaves alone what begins with `_`.
    return f"{uri}/_iceberg.json"
