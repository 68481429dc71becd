"""The stream in memory does what every stream does, with small positions and with those of 56 digits."""

import pytest

from connectors.streams import MemoryLog, MemoryStream
from connectors.streams.protocol import StreamPartition, partition_counts
from tests.conformance.streams import StreamConformance


class Broker:
    topic = "s.public.t"

    def __init__(self, first_position):
        self._log = MemoryLog(first_position=first_position)
        self.create, self.add, self.expire = self._log.create, self._log.add, self._log.expire

    def open(self):
        return MemoryStream(self._log, source="s")


class TestMemoryStream(StreamConformance):
    @pytest.fixture(params=[0, 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898])
    def broker(self, request):
        return Broker(request.param)


def test_closed_stream_partitions_count():
    assert partition_counts([StreamPartition("a", "", 5), StreamPartition("b", "", 0)]) == {"a": 6, "b": 1}
