"""Gives up positions that the stream no longer holds, right before a snapshot of all tables."""

from collections.abc import Iterable
from contextlib import closing

from connectors.debezium.config import marker_topic, topic_name
from connectors.errors import PositionLost
from connectors.lake.bronze import BronzeLog
from connectors.lake.layout import LakeLayout
from connectors.postgres.identifiers import TableName
from connectors.settings import Settings
from connectors.streams import ChangeStream, Positions, RawBatch, StreamPartition, open_stream
from connectors.streams.protocol import MESSAGES


def forget_lost_positions(settings: Settings, tables: Iterable[TableName]) -> list[StreamPartition]:
    """Lets drains go on where messages were lost; returns the stream partitions that this was done for.

    Call it only before a new slot epoch, while no connector runs: the snapshot replaces what was lost.
    A recreated topic is read from its end; a deleted one from the first message of its successor.
    """
    source = settings.cdc.source
    bronze = BronzeLog(LakeLayout(settings.lake.root, source))
    with closing(open_stream(settings)) as stream:
        ends = stream.end_positions()
        lost = {p: end for p, end in ends.items() if _is_lost(stream, bronze, p)}
    for topic in (marker_topic(source), *(topic_name(source, table) for table in tables)):
        for number in range(bronze.partitions(topic)):
            successor = StreamPartition(topic, "", number)
            if bronze.has_read(successor) and not _exists(successor, ends):
                lost[successor] = 0
    if lost:
        bronze.append(RawBatch(MESSAGES.empty_table(), lost), tables={})
    return sorted(lost)


def _is_lost(stream: ChangeStream, bronze: BronzeLog, partition: StreamPartition) -> bool:
    try:
        stream.seek(bronze.positions([partition]))
    except PositionLost:
        return True
    return False


def _exists(partition: StreamPartition, ends: Positions) -> bool:
    return any((p.topic, p.partition) == (partition.topic, partition.partition) for p in ends)
