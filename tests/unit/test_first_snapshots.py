"""A first snapshot that began again: silver shows what the attempt saw that came to its end."""

import json

import duckdb
import pytest

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.merge import merge_table, pending_tables
from connectors.changes.markers import Marker
from connectors.changes.snapshots import newest_attempt
from connectors.lake.bronze import BronzeLog
from tests.events import event, raw_batch
from tests.silver_lake import KEYED, row
from tests.unit.test_rebuild import TABLE, Source

FIRST, SECOND, MARKER = 100, 200, Marker(1, 300)


def read(id_, flag, *, lsn=FIRST):
    return event("r", row(id_, "a", "x"), lsn=lsn, snapshot=flag)


def shown(tmp_path, messages, *, newest):
    """The keys in silver when all messages, and a marker behind them, are drained and merged."""
    source = Source(str(tmp_path / "lake"), KEYED)
    bronze = BronzeLog(source.layout)
    for n, message in enumerate(messages):
        bronze.append(raw_batch([message], first_offset=n), tables={"s.public.t": "public.t"})
    if newest:
        bronze.append(raw_batch([], first_offset=len(messages)), tables={}, snapshot=Marker(1, newest), marker=MARKER)
    merge_table(source.settings, TABLE, checked=ContractCheck(bronze.batch))
    bronze.confirm(MARKER)
    assert [table.table for table in pending_tables(source.settings)] == [TABLE] * bool(newest)
    merge_table(source.settings, TABLE, checked=ContractCheck(bronze.batch))
    assert pending_tables(source.settings) == []
    return [id_ for id_, _, _ in source.rows()]


@pytest.mark.parametrize(
    ("messages", "newest", "ids"),
    [
        ([read(1, "true"), read(2, "true")], FIRST, []),
        ([read(1, "true"), read(2, "last_in_data_collection")], SECOND, []),
        ([read(1, "first")], FIRST, [1]),
        ([read(1, "first"), read(2, "true")], FIRST, []),
        ([read(1, "true"), read(2, "first", lsn=SECOND)], SECOND, [2]),
        ([read(1, "first"), event("c", row(2, "b", "y"), lsn=250, prev=240)], SECOND, [2]),
    ],
    ids=["interrupted", "not seen again", "only row", "first of some", "other only row", "written since"],
)
def test_rows_that_only_an_earlier_attempt_saw_are_gone(tmp_path, messages, newest, ids):
    assert shown(tmp_path, messages, newest=newest) == ids


def test_newest_attempt_is_of_this_epoch_and_no_resync():
    later, plain = read(1, "true", lsn=SECOND), read(1, "true")
    other_epoch = event("r", row(1, "a", "x"), lsn=SECOND, snapshot="true", epoch=2)
    resync = (*later[:2], [*later[2], ("lakehouse.after", b"7")])
    again = event("r", row(1, "a", "x"), lsn=SECOND, prev=150, snapshot="true")
    change, nothing, noise = event("u", row(1, "a", "x"), lsn=SECOND), (b"", None, []), (b"", b"{", [])
    messages = [other_epoch, resync, again, change, nothing, noise]
    assert newest_attempt(duckdb.connect(), raw_batch([plain, *messages]).messages, epoch=1) == FIRST
    assert newest_attempt(duckdb.connect(), raw_batch(messages).messages, epoch=1) == 0
    with_schema = (later[0], json.dumps({"schema": {}, "payload": json.loads(later[1])}).encode(), later[2])
    assert newest_attempt(duckdb.connect(), raw_batch([with_schema]).messages, epoch=1) == SECOND
