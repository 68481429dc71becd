"""The sources of a lake."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import latest_contracts
from connectors.lake.epoch_log import current_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import folders
from connectors.postgres.identifiers import TableName


@dataclass(frozen=True)
class LakeSource:
    """A source that is registered in a lake.

    Attributes:
        name: Its name.
        epoch: The slot epoch.
        tables: The captured tables.
        batch: Number of the newest batch in bronze.
        through_lsn: Everything the source committed before this LSN is in bronze; zero if no marker was drained yet.
    """

    name: str
    epoch: int
    tables: Sequence[TableName]
    batch: int
    through_lsn: int


def registered_sources(root: str) -> list[LakeSource]:
    """Returns the sources that are registered in a lake, by name.

    Raises:
        ConfigurationError: The storage refuses.
        ServiceUnavailable: The storage did not answer.
    """
    found = []
    for name in folders(f"{root}/bronze"):
        layout = LakeLayout(root, name)
        epoch = current_epoch(layout)
        if epoch is not None:
            tables = sorted(table for table, contract in latest_contracts(layout).items() if contract.captured)
            bronze = BronzeLog(layout)
            found.append(LakeSource(name, epoch, tables, bronze.batch, bronze.through.lsn))
    return found
