"""Topics that are being made while a drain looks where they end."""

from contextlib import closing

from confluent_kafka.admin import AdminClient, NewTopic

from connectors.streams.kafka import KafkaStream


def test_topic_without_a_leader_yet_is_waited_for(kafka):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    with closing(KafkaStream(kafka.bootstrap_servers, source="new")) as stream:
        for n in range(8):
            [made] = admin.create_topics([NewTopic(f"new.t{n}", 5)]).values()
            while f"new.t{n}" not in {partition.topic for partition in stream.end_positions()}:
                pass
            made.result(30)
