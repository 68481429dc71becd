"""Every event has a meaning: changes of every kind, through the real Debezium, leave silver equal to the source."""

import json
import shutil
from itertools import pairwise
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.cdc.drain import drain_source
from connectors.cdc.registration import register_source
from connectors.debezium.config import topic_name
from connectors.errors import PositionLost
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import open_table
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.quality.reconcile import reconcile_source
from tests.cases.case import all_cases
from tests.lake import differences, drain, open_lake, received
from tests.services import fresh_database, fresh_settings

CASES = {type(case).__module__.rpartition(".")[2]: case for case in all_cases()}


@pytest.fixture(scope="module")
def lake(stack_services, tmp_path_factory):
    """One source with the tables of all cases, after some rounds of their changes."""
    root = tmp_path_factory.mktemp("events") / "lake"
    with fresh_database(stack_services) as database, fresh_settings(stack_services, database, root) as fresh:
        # Small micro-batches, so that cuts fall between the changes of a round.
        settings = fresh.model_copy(update={"cdc": fresh.cdc.model_copy(update={"batch_messages": 300})})
        with connect(database) as source:
            source.autocommit = True
            source.execute("CREATE TABLE unreadable (id int PRIMARY KEY, note text)")
            for case in CASES.values():
                source.execute(case.ddl)
                source.execute(case.before)
            register_source(settings)
            drain(settings, source)
            for rounds in ([1], [2, 3]):
                for n in rounds:
                    for case in CASES.values():
                        case.change(source, n)
                drain(settings, source)
            found = reconcile_source(settings)
            with open_lake(settings) as view:
                yield SimpleNamespace(settings=settings, source=source, view=view, comparisons=found)


def belongs(table, name):
    return table == name or table.startswith(f"{name}_")


@pytest.mark.parametrize("name", CASES)
def test_silver_equals_the_source_after(lake, name):
    compared = [c for c in lake.comparisons if belongs(c.table.name, name)]
    assert {str(c.table): c.keys for c in compared if c.mismatches} == {}
    assert compared
    assert [row for row in rejected(lake) if belongs(row["source_table"].partition(".")[2], name)] == []
    CASES[name].check(lake.view)


def rejected(lake):
    quarantine = open_table(LakeLayout.of(lake.settings).quarantine)
    return [] if quarantine is None else quarantine.to_pyarrow_table().to_pylist()


def test_tombstone_follows_each_delete_and_changes_nothing(lake):
    events = received(lake.settings, "public.delete")
    behind_deletes = [after for event, after in pairwise([*events, {}]) if event and event["op"] == "d"]
    assert behind_deletes == [None] * events.count(None) != []


def test_unreadable_messages_are_quarantined_and_the_others_go_on(lake):
    topic = topic_name(lake.settings.cdc.source, TableName("public", "unreadable"))
    epoch = {"lakehouse.epoch": b"1"}
    event = {"op": "c", "before": None, "after": {"id": 1, "note": None}, "source": {"lsn": 1, "sequence": "[]"}}
    of_other_id = {**event, "after": {"id": "one", "note": None}}
    messages = {
        "the value is not JSON": (b'{"op":"u","after":', epoch),
        "the value is not UTF-8 text": (b"\xff", epoch),
        "unknown operation x": (json.dumps({**event, "op": "x"}), epoch),
        "no header lakehouse.epoch": (json.dumps(event), {}),
        'column "id" can not be read: one': (json.dumps(of_other_id), epoch),
    }
    producer = Producer({"bootstrap.servers": lake.settings.kafka.bootstrap_servers})
    lake.source.execute("INSERT INTO unreadable VALUES (1, 'before')")
    drain(lake.settings, lake.source)
    for value, headers in messages.values():
        producer.produce(topic, key=b'{"id":1}', value=value, headers=headers)
    assert producer.flush(30) == 0
    lake.source.execute("INSERT INTO unreadable VALUES (2, 'after')")
    drain(lake.settings, lake.source)
    assert differences(lake.settings, "public.unreadable") == {}
    found = [(row["reason"], row["value"]) for row in rejected(lake) if row["source_table"] == "public.unreadable"]
    assert sorted(found) == sorted((why, v if isinstance(v, bytes) else v.encode()) for why, (v, _) in messages.items())


def test_messages_that_were_removed_before_they_were_read_are_an_error(lake, tmp_path):
    """As a lake sees it that has registered, and has drained nothing yet."""
    behind = lake.settings.model_copy(update={"lake": lake.settings.lake.model_copy(update={"root": str(tmp_path)})})
    source = lake.settings.cdc.source
    for kept in ("contracts", "epochs"):
        folder = f"bronze/{source}/{kept}"
        shutil.copytree(f"{lake.settings.lake.root}/{folder}", tmp_path / folder)
    topic = topic_name(source, TableName("public", "insert"))
    admin = AdminClient({"bootstrap.servers": lake.settings.kafka.bootstrap_servers})
    for removed in admin.delete_records([TopicPartition(topic, 0, 1)]).values():
        removed.result(30)
    with pytest.raises(PositionLost, match=r"insert\[0\] is to be read from 0, but holds 1 to"):
        drain_source(behind)


def test_bronze_holds_every_message_once(lake):
    table = open_table(LakeLayout.of(lake.settings).bronze).to_pyarrow_table()
    addresses = list(
        zip(*(table[n].to_pylist() for n in ("topic_id", "stream_partition", "stream_offset")), strict=True)
    )
    assert len(addresses) == len(set(addresses)) > 1000
