"""A transaction shows its messages partition by partition: a drain through a marker waits for all that precede it."""

from threading import Thread

import pytest
from confluent_kafka import Producer

from connectors.cdc.drain import drain_source
from connectors.debezium.config import topic_name
from connectors.lake.bronze import BronzeLog
from connectors.lake.layout import LakeLayout
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from tests.lake import received, registered_source

DDL = "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)"
NOT_SHOWN = b'{"op": "c", "note": "not shown yet"}'


@pytest.fixture
def source(settings):
    with registered_source(settings, DDL) as source:
        yield source


def test_marker_waits_for_what_was_written_before_it(settings, source):
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "transactional.id": "another"})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic_name(settings.cdc.source, TableName("public", "item")), NOT_SHOWN)
    assert producer.flush(30) == 0
    lsn = emit_marker(source)
    drain = Thread(target=drain_source, args=[settings], kwargs={"through_lsn": lsn})
    drain.start()
    drain.join(2)
    through = BronzeLog(LakeLayout.of(settings)).through
    assert drain.is_alive()
    assert through.lsn < lsn

    producer.commit_transaction()
    drain.join(60)
    assert not drain.is_alive()
    assert BronzeLog(LakeLayout.of(settings)).through.lsn == lsn
    assert "not shown yet" in [event.get("note") for event in received(settings, "public.item")]


def test_drain_without_a_marker_takes_what_is_there(settings, source):
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "transactional.id": "one more"})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic_name(settings.cdc.source, TableName("public", "item")), NOT_SHOWN)
    assert producer.flush(30) == 0
    drain_source(settings)
    assert "not shown yet" not in [event.get("note") for event in received(settings, "public.item")]
    producer.abort_transaction()
