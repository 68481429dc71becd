"""What a merge costs by the number of columns, up to the most that PostgreSQL allows.

No stack: messages go to bronze as Debezium writes them. There are 19 rows, as only the columns are of interest:

    python benchmarks/wide_table.py 100 400 800 1590
"""

import argparse
import json
import tempfile
from pathlib import Path

import pyarrow as pa
from definitions import timed
from silver_hour import TABLE, append

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.merge import merge_table
from connectors.cdc.rebuild import rebuild_silver
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import record_contracts
from connectors.lake.epoch_log import ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.replication import ServerIdentity
from connectors.settings import CdcSettings, LakeSettings, Settings

ROWS = 19
VALUES = {"text": "some text", "int4": 5, "numeric": "1.5", "timestamptz": "2026-01-01T00:00:00Z"}


def main() -> None:
    """Measures each number of columns, and prints a line of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("columns", type=int, nargs="+", help="how many")
    print(f"{'columns':>8}{'first merge s':>15}{'next merge s':>15}{'rebuild s':>15}{'query s':>15}")
    for count in parser.parse_args().columns:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            print(f"{count:>8,}{''.join(f'{seconds:>15.1f}' for seconds in measure(Path(folder), count))}", flush=True)


def measure(folder: Path, count: int) -> list[float]:
    """Seconds of two merges, a rebuild and a query."""
    settings = Settings(home=folder, lake=LakeSettings(root=f"{folder}/lake"), cdc=CdcSettings(source="s"))
    layout = LakeLayout.of(settings)
    kinds = list(VALUES)
    columns = [ColumnContract(name="id", type_name="int4", nullable=False)]
    columns += [ColumnContract(name=f"c{n:04}", type_name=kinds[n % len(kinds)]) for n in range(count - 1)]
    contract = TableContract(schema_name=TABLE.schema, table_name=TABLE.name, columns=tuple(columns), key=("id",))
    record_contracts(layout, [contract], 0)
    identity = ServerIdentity(system_identifier="1", timeline=1)
    ensure_epoch(layout, slot="s", slot_exists=True, identity=identity, tables=[TABLE])
    bronze = BronzeLog(layout)

    def merged(lsn: int) -> float:
        append(bronze, lsn * ROWS, changes(contract, lsn=lsn))
        return timed(lambda: merge_table(settings, TABLE, checked=ContractCheck(bronze.batch)))

    def query() -> None:
        with query_lake(settings, f"SELECT count(c0000) FROM silver.{TABLE.name}") as result:
            assert result.fetchall() == [(ROWS,)]

    merges = [merged(1), merged(2)]
    rebuilt = timed(lambda: rebuild_silver(settings, TABLE, checked=ContractCheck(bronze.batch)))
    return [*merges, rebuilt, timed(query)]


def changes(contract: TableContract, *, lsn: int) -> pa.Array:
    """A change of each row, as Debezium writes it."""
    row = {column.name: VALUES[column.type_name] for column in contract.columns}
    source = {"lsn": lsn, "sequence": json.dumps([str(lsn), str(lsn)]), "ts_ms": 1_700_000_000_000}
    events = [{"op": "u", "before": None, "after": row | {"id": n}, "source": source} for n in range(ROWS)]
    return pa.array([json.dumps(event).encode() for event in events])


if __name__ == "__main__":
    main()
