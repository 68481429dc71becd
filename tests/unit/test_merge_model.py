"""Whatever a source does, and whatever happens on the way, silver is the source's last state.

Hypothesis makes up what happens; with `--hypothesis-profile=long` it makes up a hundred times as much.
"""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.changing import ChangingKeyedSource, ChangingKeylessSource
from tests.model.machine import KeyedSource, KeylessSource
from tests.model.partitions import PartitionedSource
from tests.model.postgres import KEPT
from tests.model.purging import PurgedSource
from tests.model.reading import ReadSource


def test_table_with_key():
    run_state_machine_as_test(KeyedSource, settings=settings())


def test_table_without_key():
    run_state_machine_as_test(KeylessSource, settings=settings())


def test_table_with_key_whose_columns_change():
    run_state_machine_as_test(ChangingKeyedSource, settings=settings())


def test_table_without_key_whose_columns_change():
    run_state_machine_as_test(ChangingKeylessSource, settings=settings())


def test_table_that_is_read_anew():
    run_state_machine_as_test(ReadSource, settings=settings())


def test_table_whose_deleted_rows_are_purged():
    run_state_machine_as_test(PurgedSource, settings=settings())


def test_table_in_several_stream_partitions():
    run_state_machine_as_test(PartitionedSource, settings=settings())


@pytest.mark.parametrize("source", [KeylessSource, KeyedSource])
def test_first_snapshot_that_begins_again_and_finds_no_row(source):
    """What Hypothesis found after a long time."""
    state = source()
    state.start({1, 2, 3}, KEPT)
    state.truncate(None)
    state.receive(2, merged=True)
    state.connector.restart(again=0)
    state.teardown()
