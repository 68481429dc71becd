"""A failure of the connector is told in words, with a way out, without Java."""

import pytest

from connectors.debezium.causes import cause_of

CONNECT = "org.apache.kafka.connect.errors.ConnectException: "
PRODUCER = f"{CONNECT}An exception occurred in the change event producer. This connector will be stopped."


@pytest.mark.parametrize(
    ("failure", "what", "fix"),
    [
        ('FATAL: password authentication failed for user "app"', "refuses the connector's log-in", "__PASSWORD"),
        ('FATAL: role "app" is not permitted to log in', "refuses the connector's log-in", "__PASSWORD"),
        ('FATAL: no pg_hba.conf entry for host "10.0.0.7"', "takes no connections from", "pg_hba.conf"),
        ('ERROR: replication slot "lakehouse_shop" does not exist', "slot is gone", "source remove"),
        ('ERROR: replication slot "s" is active for PID 4711', "another reader", "active_pid"),
        ('ERROR: can no longer access replication slot "s"', "that the slot needs, is gone", "remove"),
        ("Publication autocreation is disabled, please create one", "publication is gone", "source register"),
        ("ERROR: all replication slots are in use", "no replication slot", "max_replication_slots"),
        ("ERROR: permission denied for table orders", "lacks a right", "source check"),
        (
            "The message is 19000000 bytes when serialized which is larger than the maximum request size",
            "larger",
            "LAKEHOUSE_CDC__MESSAGE_BYTES",
        ),
        ("java.lang.OutOfMemoryError: Java heap space", "out of memory", "heap"),
        ("Connection to 127.0.0.1:5432 refused.", "can't reach the database", "database runs"),
        ("java.lang.NullPointerException: Cannot invoke", "met something that it can't read", "leave the table out"),
        ("Something nobody has seen yet", "gave up", "log of Kafka Connect"),
    ],
)
def test_cause_is_told_in_words(failure, what, fix):
    for text in (failure, f"{CONNECT}{failure}", f"{PRODUCER} (caused by: {CONNECT}{failure})"):
        cause = cause_of(text)
        assert what in cause.what
        assert fix in cause.fix
        assert "Exception: " not in cause.said.replace("NullPointerException: ", "")
        assert cause.said.startswith(failure.removeprefix("java.lang.OutOfMemoryError: ")[:20]) or "java" in failure
