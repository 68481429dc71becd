"""A lake on S3 that follows a source without a database and a stream, and what must hold of it after any fault."""

import json
from collections import defaultdict

import boto3

from connectors.cdc.merge import merge_table, pending_tables
from connectors.changes.markers import Marker
from connectors.errors import CommitConflict
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import contract_versions, record_contracts
from connectors.lake.epoch_log import ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.lake.storage import data_files, duckdb_connection, open_table
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.replication import ServerIdentity
from connectors.settings import CdcSettings, LakeSettings, Settings
from tests.events import PARTITION, event, raw_batch
from tests.lake import as_recorded
from tests.s3 import BUCKET

COLUMNS = (
    ColumnContract(name="id", type_name="int4", nullable=False),
    ColumnContract(name="name", type_name="text", toastable=True),
)
TABLE = TableContract(schema_name="public", table_name="t", columns=COLUMNS, key=("id",))
COUNTERS = ("v1/batch", "lakehouse.commit")
TOPICS = {PARTITION.topic: str(TABLE.table)}
SERVER = ServerIdentity("7711372908697706219", 1)
BATCH = 6
ROWS = [(1, "a"), (2, "B"), (4, "c"), (6, "f")]
REJECTED = [(3,), (9,)]
"""What readers of silver see in the end, and the offsets of the messages that nobody can read."""


def messages(placeholder):
    """Two micro-batches: rows that come, change, keep a value, move and go, and two unreadable messages."""
    unreadable = (b"k", b"{broken", [("lakehouse.epoch", b"1")])
    return [
        *(event("c", {"id": n, "name": name}, lsn=n, prev=0) for n, name in enumerate("abc", start=1)),
        unreadable,
        event("u", {"id": 1, "name": placeholder}, lsn=10, prev=5),
        event("d", {"id": 3, "name": None}, lsn=11, prev=5),
        event("c", {"id": 4, "name": placeholder}, lsn=11, prev=5, old_key={"id": 3}),
        event("c", {"id": 5, "name": "e"}, lsn=12, prev=5),
        event("u", {"id": 2, "name": "B"}, lsn=20, prev=15),
        unreadable,
        event("d", {"id": 5, "name": None}, lsn=21, prev=15),
        event("c", {"id": 6, "name": "f"}, lsn=22, prev=15),
    ]


class S3Lake:
    """One lake below the test bucket."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.settings = Settings(
            lake=LakeSettings(root=f"s3://{BUCKET}/{prefix}"), cdc=CdcSettings(source="s", slice_rows=BATCH)
        )
        self.layout = LakeLayout(self.settings.lake.root, "s")

    def drain(self, *, until=None):
        """Brings to bronze and to silver what is not there yet, of the first `until` messages."""
        self.receive(until=until)
        for table in (pending.table for pending in pending_tables(self.settings)):
            merge_table(self.settings, table, checked=as_recorded(self.settings))

    def receive(self, *, until=None):
        """Registers, then brings to bronze what is not there yet, of the first `until` messages."""
        record_contracts(self.layout, [TABLE], 0)
        slot_epoch = ensure_epoch(self.layout, slot="s", slot_exists=True, identity=SERVER, tables=[TABLE.table])
        stream = messages(slot_epoch.placeholder)[:until]
        bronze = BronzeLog(self.layout)
        while (start := bronze.positions([PARTITION])[PARTITION]) < len(stream):
            batch = raw_batch(stream[start : start + BATCH], first_offset=start)
            try:
                bronze.append(batch, tables=TOPICS, marker=Marker(slot_epoch.epoch, len(stream)))
            except CommitConflict:
                bronze.reload()
        while bronze.through < bronze.marker:
            try:
                bronze.confirm(bronze.marker)
            except CommitConflict:
                bronze.reload()

    def read(self):
        """Returns the rows that a reader sees."""
        with query_lake(self.settings, "SELECT id, name FROM silver.t ORDER BY id") as rows:
            return rows.fetchall()

    def copy(self, prefix):
        """Returns a copy of the lake."""
        client = boto3.client("s3")
        for key, _ in _objects(client, self.prefix):
            source = {"Bucket": BUCKET, "Key": key}
            client.copy_object(Bucket=BUCKET, Key=prefix + key.removeprefix(self.prefix), CopySource=source)
        return S3Lake(prefix)

    def audit(self):
        """Returns what is wrong with the lake after a complete drain."""
        with duckdb_connection(self.layout.root) as connection:
            silver, bronze, quarantine = (
                connection.execute(f"SELECT {columns} FROM {_files(uri)} WHERE {condition} ORDER BY ALL").fetchall()
                for columns, uri, condition in [
                    ("id, name", self.layout.silver(TABLE.table), "NOT _cdc_deleted"),
                    ("stream_offset", self.layout.bronze, "TRUE"),
                    ("stream_offset", self.layout.quarantine, "TRUE"),
                ]
            )
        found = {
            "silver": (silver, ROWS),
            "bronze": (bronze, [(offset,) for offset in range(len(messages("")))]),
            "quarantine": (quarantine, REJECTED),
            "contracts": (len(contract_versions(self.layout)[TABLE.table]), 1),
            "lives": (open_table(self.layout.epochs).to_pyarrow_table().num_rows, 1),
            "numbers that a commit repeats or takes back": (self._setbacks(), []),
        }
        return {what: is_ for what, (is_, wanted) in found.items() if is_ != wanted}

    def _setbacks(self):
        """Progress that did not grow from one commit of a table to the next."""
        client = boto3.client("s3")
        reached, setbacks = defaultdict(lambda: -1), []
        for key, body in _objects(client, self.prefix, suffix=".json"):
            actions = [json.loads(line) for line in body().splitlines()]
            numbers = {a["txn"]["appId"]: a["txn"]["version"] for a in actions if "txn" in a}
            for name, number in numbers.items():
                last = reached[key.rpartition("/")[0], name]
                # A table that was rebuilt has reached the same batch as the one before.
                again = name in COUNTERS and not any("/replaced-by/" in n for n in numbers)
                if number < last or (number == last and again):
                    setbacks.append((key, name, number))
                reached[key.rpartition("/")[0], name] = number
        return setbacks


def _files(uri):
    return f"read_parquet({[f['path'] for f in data_files(uri, open_table(uri))]!r}, hive_partitioning = false)"


def _objects(client, prefix, *, suffix=""):
    """Yields keys in their order, with what reads their body."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
        for key in (found["Key"] for found in page.get("Contents", ())):
            if key.endswith(suffix):
                yield key, lambda key=key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
