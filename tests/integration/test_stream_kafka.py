"""The stream from Kafka does what every stream does."""

import uuid

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.streams import KafkaStream
from tests.conformance.streams import StreamConformance


class Broker:
    """Topics of one test: its source has a name that no other test uses."""

    def __init__(self, servers):
        self._source = f"s{uuid.uuid4().hex}"
        self.topic = f"{self._source}.public.t"
        self._servers, self._readers, self._topics = servers, [], []
        self._admin = AdminClient({"bootstrap.servers": servers})

    def open(self):
        self._readers.append(KafkaStream(self._servers, source=self._source))
        return self._readers[-1]

    def create(self, topic, *, partitions=1):
        if topic in self._topics:
            self._delete(topic)
        self._topics.append(topic)
        [made] = self._admin.create_topics([NewTopic(topic, partitions)]).values()
        made.result(60)

    def add(self, topic, messages, *, partition=0):
        producer = Producer({"bootstrap.servers": self._servers})
        for key, value, headers in messages:
            producer.produce(topic, key=key, value=value, headers=headers, partition=partition)
        assert producer.flush(60) == 0

    def expire(self, topic, count, *, partition=0):
        [expired] = self._admin.delete_records([TopicPartition(topic, partition, count)]).values()
        expired.result(60)

    def close(self):
        for reader in self._readers:
            reader.close()
        for topic in list(self._topics):
            self._delete(topic)

    def _delete(self, topic):
        self._topics.remove(topic)
        [gone] = self._admin.delete_topics([topic]).values()
        gone.result(60)


class TestKafkaStream(StreamConformance):
    @pytest.fixture
    def broker(self, kafka):
        made = Broker(kafka.bootstrap_servers)
        yield made
        made.close()
