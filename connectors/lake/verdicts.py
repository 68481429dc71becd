"""Tables that differed from their source after schema drift that no event reports.

Remembered, so that a table is compared once for each state of the source's catalogue, not at every drain.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter

import pyarrow as pa
from deltalake import write_deltalake

from connectors.lake.commits import committing
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import ensure_table, open_table, read_rows
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName

_SCHEMA = pa.schema(
    [
        pa.field("table", pa.string(), nullable=False),
        pa.field("contract", pa.string(), nullable=False),
        pa.field("problem", pa.string(), nullable=False),
        pa.field("recorded_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


@dataclass(frozen=True)
class Verdict:
    """Why a table is paused.

    Attributes:
        contract: What the catalogue said when it was found; of any other the verdict says nothing.
        problem: What is wrong.
    """

    contract: TableContract
    problem: str


def read_verdicts(layout: LakeLayout) -> Mapping[TableName, Verdict]:
    """The newest verdict on each table that there is one of."""
    table = open_table(layout.verdicts)
    if table is None:
        return {}
    rows = sorted(read_rows(table), key=itemgetter("recorded_at"))
    found = (Verdict(TableContract.model_validate_json(row["contract"]), row["problem"]) for row in rows)
    return {verdict.contract.table: verdict for verdict in found}


def record_verdict(layout: LakeLayout, verdict: Verdict) -> None:
    """Records a verdict. Idempotent.

    Raises:
        CommitConflict: Another writer committed first.
    """
    row = {
        "table": str(verdict.contract.table),
        "contract": verdict.contract.model_dump_json(),
        "problem": verdict.problem,
        "recorded_at": datetime.now(UTC),
    }
    table = ensure_table(layout.verdicts, _SCHEMA)
    with committing(table):
        write_deltalake(table, pa.Table.from_pylist([row], schema=_SCHEMA), mode="append")
