"""Events that runs emit have the names and contents that automations are made for."""

import pytest
from prefect.events.clients import AssertingEventsClient
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from connectors.errors import CaptureStopped
from connectors.lake.silver.schema import table_paused
from connectors.postgres.contracts import TableContract
from tasks.events import emit_paused, emit_stopped

ODD = TableContract(schema_name="Rail way", table_name="a b", columns=(), key=("id",))


@pytest.fixture
def emitted():
    """Gives the events that were sent so far; nothing listens at the address."""
    AssertingEventsClient.reset()
    EventsWorker.set_client_override(AssertingEventsClient)

    def sent():
        EventsWorker.instance().drain()
        return [event for client in AssertingEventsClient.all for event in client.events]

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        yield sent
    EventsWorker.set_client_override(None)
    AssertingEventsClient.reset()


def test_held_table_is_told_with_the_reason_and_the_command(emitted):
    emit_paused("shop", {ODD.table: table_paused(ODD, "column renamed: a -> b")})
    [event] = emitted()
    assert event.event == "lakehouse.table.paused"
    assert event.resource.id == "lakehouse.silver.shop.Rail way.a b"
    assert event.payload == {
        "reason": "Rail way.a b: column renamed: a -> b",
        "command": "lakehouse resync 'Rail way.a b'",
    }


def test_capture_that_has_stopped_is_told_with_the_cause_and_the_fix(emitted):
    emit_stopped("shop", CaptureStopped("capture has stopped: its connector is paused", hint="start it"))
    [event] = emitted()
    assert (event.event, event.resource.id) == ("lakehouse.capture.stopped", "lakehouse.source.shop")
    assert event.payload == {"reason": "capture has stopped: its connector is paused", "fix": "start it"}


def test_no_held_table_and_no_stop_is_no_event(emitted):
    emit_paused("shop", {})
    emit_stopped("shop", None)
    assert emitted() == []
