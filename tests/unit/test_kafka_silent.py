"""Kafka that does not answer is named."""

import socket
from types import SimpleNamespace

import pytest

from connectors.errors import ServiceUnavailable
from connectors.streams import kafka
from connectors.streams.kafka import KafkaStream


def test_brokers_that_do_not_answer_are_named(monkeypatch):
    monkeypatch.setattr(kafka, "_REQUEST_SECONDS", 0.5)
    with (
        socket.create_server(("127.0.0.1", 0)) as nobody,
        KafkaStream(f"127.0.0.1:{nobody.getsockname()[1]}", source="s") as stream,
        pytest.raises(ServiceUnavailable, match=r"Kafka at 127\.0\.0\.1:\d+ does not answer") as raised,
    ):
        stream.end_positions()
    assert "LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS" in raised.value.hint


def test_request_that_takes_too_long_may_be_tried_again(monkeypatch):
    def too_late(**_):
        raise TimeoutError

    with KafkaStream("127.0.0.1:1", source="s") as stream:
        slow = SimpleNamespace(list_topics=too_late)
        monkeypatch.setattr(stream, "_consumer", slow)
        with pytest.raises(ServiceUnavailable, match="nothing came within 30 s"):
            stream.end_positions()
        monkeypatch.undo()
