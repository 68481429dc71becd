"""A lake of one table without a source: messages in, silver rows out."""

from dataclasses import replace

from connectors.lake.bronze import BronzeLog
from connectors.lake.engines.duckdb import DUCKDB
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.merge import SilverMerge
from connectors.lake.silver.merge_on_read import read_overlay
from connectors.lake.silver.pending import merge_pending
from connectors.lake.silver.table import SilverTable
from connectors.lake.storage import data_files, duckdb_connection, open_table, scratch_connection
from connectors.lake.views import pin_table, register_overlay
from connectors.postgres.contracts import ColumnContract, TableContract
from tests.events import PLACEHOLDER, raw_batch

COLUMNS = (
    ColumnContract(name="id", type_name="int4", nullable=False),
    ColumnContract(name="name", type_name="varchar"),
    ColumnContract(name="big", type_name="text", toastable=True),
)
_SEEN = "COLUMNS(lambda name: name <> '_cdc_merged_at')"
KEYED = TableContract(schema_name="public", table_name="t", columns=COLUMNS, key=("id",))
KEYLESS = TableContract(schema_name="public", table_name="t", columns=COLUMNS, key=(), replica_identity="full")


class Lake:
    """One table's way from messages to silver.

    Attributes:
        through: The marker up to which the order of all changes is known; None: it always is.
    """

    through = None

    def __init__(self, root, contract=KEYED, engine=DUCKDB):
        self.engine = engine
        self.layout = LakeLayout(root, "s")
        self.contract = contract
        self.bronze = BronzeLog(self.layout)
        self.offset = 0

    def receive(self, *messages):
        self.bronze.append(raw_batch(list(messages), first_offset=self.offset), tables={"s.public.t": "public.t"})
        self.offset += len(messages)
        return self

    def silver(self):
        return SilverTable(self.layout, self.contract, placeholder=PLACEHOLDER)

    def merge(self, rows=10**6):
        """Merges; readers see before it what they see after it."""
        pending = self.fresh()
        reports = self._merge(rows)
        # As text: NaN does not equal itself.
        assert pending is None or repr(pending) == repr(self.seen())
        return reports

    def _merge(self, rows):
        merge = SilverMerge(self.silver(), self.engine)
        sizes = {"rows": rows, "size": 2**40}
        return list(merge_pending(self.bronze, merge, partitions=1, up_to_batch=self.bronze.batch, **sizes))

    def select(self, columns, *, table=None):
        uri = table or self.layout.silver(self.contract.table)
        files = [f["path"] for f in data_files(uri, open_table(uri))]
        if not files:
            return []
        query = f"SELECT {columns} FROM read_parquet({files!r}, union_by_name = true, hive_partitioning = false)"
        with scratch_connection(self.layout.root) as connection:
            return sorted(connection.execute(query).fetchall(), key=repr)

    def current(self, columns):
        """The rows that readers see."""
        uri = self.layout.silver(self.contract.table)
        return self._read(pin_table(self.contract.table, uri, open_table(uri)), columns)

    def seen(self):
        """What readers see of silver, but for when it was merged."""
        return self.current(_SEEN)

    def fresh(self):
        """What readers see with what is pending, before it is merged; None if silver has to be merged first."""
        silver = self.silver()
        files = self.bronze.files(after_batch=silver.batch).get(str(self.contract.table), [])
        overlay = read_overlay(silver, files, up_to_batch=self.bronze.batch, through=self.through)
        if overlay is None:
            return None
        pinned = pin_table(self.contract.table, silver.uri, silver.table, self.contract)
        return self._read(replace(pinned, overlay=overlay), _SEEN)

    def _read(self, pinned, columns):
        # An overlay is no temporary table.
        opened = scratch_connection if pinned.overlay is None else duckdb_connection
        with opened(self.layout.root) as connection:
            register_overlay(connection, pinned)
            return sorted(connection.execute(f"SELECT {columns} FROM ({pinned.current})").fetchall(), key=repr)

    def has_quarantine(self):
        return open_table(self.layout.quarantine) is not None and self.select("*", table=self.layout.quarantine) != []

    def rows(self):
        names = ", ".join(column.name for column in self.contract.columns)
        return [row[:-1] for row in self.select(f"{names}, _cdc_deleted") if not row[-1]]


def row(id_, name, big):
    return {"id": id_, "name": name, "big": big}
