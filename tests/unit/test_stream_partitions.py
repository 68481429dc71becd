"""A table whose changes come by several stream partitions is merged only as far as all of them have got."""

import pytest

from connectors.changes.markers import Marker
from connectors.lake.bronze import BronzeLog
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.merge import SilverMerge
from connectors.lake.silver.table import SilverTable
from connectors.streams.protocol import StreamPartition
from tests.events import PLACEHOLDER, event, raw_batch
from tests.silver_lake import KEYED, Lake, row

P0, P1 = (StreamPartition("s.public.t", "topic-id", n) for n in (0, 1))


class Partitioned(Lake):
    def __init__(self, root):
        super().__init__(root)
        self.offsets = {P0: 0, P1: 0}

    def receive_from(self, partition, *messages):
        raw = raw_batch(list(messages), first_offset=self.offsets[partition], partition=partition)
        self.bronze.append(raw, tables={"s.public.t": "public.t"}, partitions={"s.public.t": 2})
        self.offsets[partition] += len(messages)

    def merge_through(self, lsn):
        self.bronze.confirm(Marker(1, lsn))
        silver = SilverTable(self.layout, KEYED, placeholder=PLACEHOLDER)
        files = self.bronze.files(after_batch=silver.batch).get("public.t", [])
        return SilverMerge(silver).merge_changes(files, up_to_batch=self.bronze.batch, through=self.bronze.through)


@pytest.fixture
def lake(tmp_path):
    return Partitioned(str(tmp_path))


def test_changes_behind_the_marker_wait_for_the_other_partition(lake):
    lake.receive_from(P0, event("c", row(1, "a", "x"), lsn=10, prev=5))
    # The number of partitions changed: the key goes to another one, which is ahead.
    lake.receive_from(P1, event("u", row(1, "c", PLACEHOLDER), lsn=30, prev=25))
    lake.merge_through(20)
    assert lake.rows() == [(1, "a", "x")]
    lake.receive_from(P0, event("u", row(1, "b", "y"), lsn=20, prev=15))
    lake.merge_through(40)
    assert lake.rows() == [(1, "c", "y")]
    assert not lake.has_quarantine()


def test_key_change_across_partitions_takes_the_value_of_its_time(lake):
    lake.receive_from(P1, event("c", row(2, "moved", PLACEHOLDER), lsn=20, prev=15, old_key={"id": 1}))
    lake.merge_through(15)
    lake.receive_from(P0, event("c", row(1, "a", "x"), lsn=10, prev=5), event("d", row(1, None, None), lsn=20, prev=15))
    lake.merge_through(30)
    assert lake.rows() == [(2, "moved", "x")]
    assert not lake.has_quarantine()


def test_without_any_marker_everything_waits(lake):
    lake.receive_from(P0, event("c", row(1, "a", "x"), lsn=10, prev=5))
    report = lake.merge_through(0)
    assert (report.up_to_batch, lake.rows()) == (0, [])


def test_unreadable_message_behind_the_marker_is_quarantined_once(lake):
    lake.receive_from(P1, event("u", row(1, "c", "z"), lsn=30, prev=25))
    lake.receive_from(P0, (b"{}", b"{broken", [("lakehouse.epoch", b"1")]))
    lake.merge_through(20)
    lake.merge_through(40)
    assert len(lake.select("reason", table=lake.layout.quarantine)) == 1


def test_lake_remembers_markers_and_the_number_of_partitions(lake):
    lake.receive_from(P0, event("c", row(1, "a", "x"), lsn=10, prev=5))
    lake.bronze.confirm(Marker(1, 7))
    lake.bronze.confirm(Marker(1, 6))
    bronze = BronzeLog(LakeLayout(lake.layout.root, "s"))
    assert (bronze.through, bronze.partitions("s.public.t"), bronze.partitions("s.public.other")) == (
        Marker(1, 7),
        2,
        1,
    )


def test_marker_of_a_later_epoch_counts_though_its_lsn_is_smaller(lake):
    lake.bronze.confirm(Marker(1, 1000))
    lake.bronze.confirm(Marker(2, 10))
    assert lake.bronze.through == Marker(2, 10)
