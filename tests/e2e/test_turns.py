"""One flow at a time per source, as long as that costs nobody his run."""

import contextvars
import logging
import threading
import uuid

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from tasks.concurrency import limit_name, source_lock


def active(source):
    with get_client(sync_client=True) as client:
        return client.read_global_concurrency_limit_by_name(limit_name(source)).active_slots


@pytest.fixture
def source():
    return f"turns_{uuid.uuid4().hex[:8]}"


def test_second_flow_waits_for_the_first(settings, source):
    seen = []
    first_is_in, second_has_come = threading.Event(), threading.Event()

    @flow
    def first():
        with source_lock(source):
            first_is_in.set()
            assert second_has_come.wait(60)
            seen.append("first")

    @flow
    def second():
        second_has_come.set()
        with source_lock(source):
            seen.append("second")

    thread = threading.Thread(target=contextvars.copy_context().run, args=[first])
    thread.start()
    assert first_is_in.wait(60)
    second()
    thread.join()
    assert seen == ["first", "second"]
    assert active(source) == 0


def test_flow_goes_on_without_its_turn(settings, source, caplog):
    @flow
    def work():
        with source_lock(source), source_lock(source, wait_seconds=0.2):
            return "worked"

    with caplog.at_level(logging.WARNING):
        assert work() == "worked"
    assert f"running without the lock {limit_name(source)}" in caplog.text


def test_killed_holder_loses_its_turn(killed_holder):
    Retrying(retry=retry_if_result(bool), stop=stop_after_delay(150), wait=wait_fixed(1))(active, killed_holder)
