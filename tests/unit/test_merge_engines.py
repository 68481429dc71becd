"""A merge needs no more of an engine than its protocol: the same tests, with work tables that can't see the lake."""

import uuid
from contextlib import contextmanager

import duckdb
import pytest

from connectors.changes.workspace import MergeWorkspace
from connectors.lake.engines.duckdb import DUCKDB
from tests.silver_lake import KEYED, Lake
from tests.unit.test_merge import (
    lake,
    root,
    test_insert_update_delete_and_tombstone,
    test_merge_run_again_quarantines_nothing_twice,
    test_merge_without_effect_still_advances,
    test_move_sent_again_takes_nothing_from_the_row_that_came_after_it,
    test_same_events_again_change_nothing,
    test_table_without_key_keeps_every_image,
    test_two_writers_of_one_batch_leave_one,
    test_value_nobody_knows_goes_to_quarantine_not_to_silver,
    test_value_of_a_deleted_row_never_fills_the_row_that_came_after_it,
)

__all__ = [
    "lake",
    "root",
    "test_insert_update_delete_and_tombstone",
    "test_merge_run_again_quarantines_nothing_twice",
    "test_merge_without_effect_still_advances",
    "test_move_sent_again_takes_nothing_from_the_row_that_came_after_it",
    "test_same_events_again_change_nothing",
    "test_table_without_key_keeps_every_image",
    "test_two_writers_of_one_batch_leave_one",
    "test_value_nobody_knows_goes_to_quarantine_not_to_silver",
    "test_value_of_a_deleted_row_never_fills_the_row_that_came_after_it",
]


class SealedEngine:
    """Does all that touches the lake in a second database, and passes rows on as Arrow tables."""

    def prepare(self, silver):
        DUCKDB.prepare(silver)

    @contextmanager
    def workspace(self, silver):
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'; SET enable_external_access = false")
            yield MergeWorkspace(connection, silver.columns)

    def decoded(self, work, silver, messages):
        name = f"decoded_{uuid.uuid4().hex}"
        with DUCKDB.workspace(silver) as lake:
            rows = lake.connection.sql(DUCKDB.decoded(lake, silver, messages)).to_arrow_table()
        work.connection.register(name, rows)
        return f"FROM {name}"

    def read_stored(self, work, silver, *, keys, into="stored", values=()):
        with self._copy(work, silver, changes="FROM changes LIMIT 0", wanted=keys) as lake:
            DUCKDB.read_stored(lake, silver, keys="FROM wanted", into=into, values=values)
            found = lake.connection.sql(f"FROM {into}").to_arrow_table()
        work.connection.register("found", found)
        work.create(into, "FROM found")

    def quarantine(self, work, silver, messages):
        with self._copy(work, silver, rejected="FROM rejected") as lake:
            return DUCKDB.quarantine(lake, silver, messages)

    def commit(self, work, silver, *, low_watermark, progress):
        source = "folded" if silver.contract.key else "changes"
        with self._copy(work, silver, **{source: f"FROM {source}"}) as lake:
            DUCKDB.commit(lake, silver, low_watermark=low_watermark, progress=progress)

    @contextmanager
    def _copy(self, work, silver, **queries):
        with DUCKDB.workspace(silver) as lake:
            for name, query in queries.items():
                lake.connection.register(f"{name}_rows", work.connection.sql(query).to_arrow_table())
                lake.create(name, f"FROM {name}_rows")
            yield lake


@pytest.fixture
def new_lake(root):
    return lambda contract=KEYED: Lake(f"{root}/{uuid.uuid4().hex}", contract, engine=SealedEngine())
