"""A merge in many processes leaves the rows that one in a single process does."""

import uuid
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from connectors.cdc.rebuild import rebuild_silver
from connectors.errors import CommitConflict, ConfigurationError
from connectors.lake.checked import Checked, record_checked
from connectors.lake.engines.local import LocalRunner
from connectors.lake.engines.partitioned import merge_partitioned
from connectors.lake.storage import data_files, open_table
from deployments.spark.merge_job import work_on_tables
from tests.events import event
from tests.lake import as_recorded
from tests.model.changing import ChangingKeyedSource
from tests.model.machine import KEYED as KEYED_IN_MODEL
from tests.model.reading import ReadLake, ReadSource
from tests.silver_lake import KEYED, KEYLESS, Lake, row
from tests.unit.test_merge import (
    lake,
    root,
    test_delete_and_insert_at_one_lsn_are_one_update,
    test_delete_keeps_what_silver_has,
    test_insert_update_delete_and_tombstone,
    test_merge_run_again_quarantines_nothing_twice,
    test_merge_without_effect_still_advances,
    test_move_sent_again_takes_nothing_from_the_row_that_came_after_it,
    test_same_events_again_change_nothing,
    test_snapshot_row_never_beats_a_change_open_while_it_was_read,
    test_transactions_are_ordered_by_commit_not_by_lsn,
    test_value_nobody_knows_goes_to_quarantine_not_to_silver,
    test_value_of_a_deleted_row_never_fills_the_row_that_came_after_it,
)
from tests.unit.test_merge_keys import EXACT, KEYS, change, contract_of
from tests.unit.test_rebuild import TABLE, Source

__all__ = [
    "lake",
    "root",
    "test_delete_and_insert_at_one_lsn_are_one_update",
    "test_delete_keeps_what_silver_has",
    "test_insert_update_delete_and_tombstone",
    "test_merge_run_again_quarantines_nothing_twice",
    "test_merge_without_effect_still_advances",
    "test_move_sent_again_takes_nothing_from_the_row_that_came_after_it",
    "test_same_events_again_change_nothing",
    "test_snapshot_row_never_beats_a_change_open_while_it_was_read",
    "test_transactions_are_ordered_by_commit_not_by_lsn",
    "test_value_nobody_knows_goes_to_quarantine_not_to_silver",
    "test_value_of_a_deleted_row_never_fills_the_row_that_came_after_it",
]


class PartitionedLake(Lake):
    """Merges in buckets of a few hundred bytes: next to every key has its own."""

    runner = LocalRunner()

    def _merge(self, rows):
        silver = self.silver()
        files = self.bronze.files(after_batch=silver.batch).get(str(self.contract.table), [])
        if not self.contract.key or silver.awaits_resync or not files:
            return super()._merge(rows)
        options = {"through": self.through, "runner": self.runner, "bucket_size": 300}
        return [merge_partitioned(silver, files, up_to_batch=self.bronze.batch, **options)]


@pytest.fixture
def new_lake(root):
    return lambda contract=KEYED: PartitionedLake(f"{root}/{uuid.uuid4().hex}", contract)


class PartitionedReadLake(PartitionedLake, ReadLake):
    pass


class PartitionedMerges(ChangingKeyedSource):
    """Columns come and go, too."""

    def __init__(self):
        super().__init__()
        self.lake = PartitionedLake(self.folder.name, KEYED_IN_MODEL)


class PartitionedReads(ReadSource):
    def __init__(self):
        super().__init__()
        self.lake = PartitionedReadLake(self.folder.name, KEYED_IN_MODEL)


def files(lake):
    uri = lake.layout.silver(lake.contract.table)
    return data_files(uri, open_table(uri))


def test_files_hold_ranges_of_keys_with_their_statistics(lake):
    lake.receive(*(event("c", row(n, f"name {n}", "x"), lsn=10 + n, prev=5) for n in range(200))).merge()
    found = sorted(files(lake), key=lambda f: f["min.id"])
    assert len(found) > 3
    assert all(a["max.id"] < b["min.id"] for a, b in pairwise(found))
    assert sum(f["num_records"] for f in found) == 200
    assert all(f["min._cdc_committed_at"] is not None for f in found)
    # A merge in one process prunes by them.
    lake.receive(event("u", row(7, "new", "y"), lsn=900, prev=899), event("d", row(8, None, None), lsn=901, prev=900))
    Lake._merge(lake, 10**6)
    assert (7, "new", "y") in lake.rows()
    assert len(lake.rows()) == 199


@pytest.mark.parametrize("kind", ["numeric(15,8)", "numeric(20,0)", "float8", "text", "bytea", "date", "timestamptz"])
def test_keys_of_all_kinds_find_their_rows_again(tmp_path, kind):
    """Also by a merge in one process, which prunes files by the statistics that the workers wrote."""
    keys, seen = KEYS[kind], "* EXCLUDE (_cdc_merged_at)"
    one, cut = Lake(f"{tmp_path}/one", contract_of(kind)), PartitionedLake(f"{tmp_path}/cut", contract_of(kind))
    for some in (one, cut):
        change(some, keys[::2], lsn=100, op="c")
        change(some, keys[1::2], lsn=200, op="c")
        change(some, keys[:2], lsn=300, op="u")
    assert repr(cut.current(seen)) == repr(one.current(seen))
    for some in (one, cut):
        some._merge = partial(Lake._merge, some)
        change(some, keys, lsn=400, op="u")
    assert repr(cut.current(seen)) == repr(one.current(seen))
    for end in ("min", "max"):
        found = [[f[f"{end}.k"] for f in files(some) if f.get(f"{end}.k") is not None] for some in (one, cut)]
        assert bool(found[0]) == bool(found[1])
        assert kind in EXACT or not any(found)


def test_of_two_engines_at_once_one_wins(lake):
    lake.receive(event("c", row(1, "a", "x"), lsn=10)).merge()
    lake.receive(event("u", row(1, "b", "y"), lsn=20, prev=15))
    silver = lake.silver()
    Lake._merge(lake, 10**6)
    pending = lake.bronze.files(after_batch=silver.batch)["public.t"]
    with pytest.raises(CommitConflict):
        merge_partitioned(silver, pending, up_to_batch=lake.bronze.batch, runner=LocalRunner())
    assert lake.rows() == [(1, "b", "y")]


def test_compaction_meanwhile_is_a_conflict(lake):
    lake.receive(*(event("c", row(n, "a", "x"), lsn=10 + n, prev=5) for n in range(100))).merge()
    lake.receive(event("u", row(1, "b", "y"), lsn=900, prev=899))
    silver = lake.silver()
    open_table(silver.uri).optimize.z_order(["id"])
    pending = lake.bronze.files(after_batch=silver.batch)["public.t"]
    with pytest.raises(CommitConflict):
        merge_partitioned(silver, pending, up_to_batch=lake.bronze.batch, runner=LocalRunner())
    lake.merge()
    assert len(lake.rows()) == 100


def test_table_without_key_is_for_one_process(new_lake):
    lake = new_lake(KEYLESS)
    lake.receive(event("c", row(1, "a", "x"), lsn=10))
    with pytest.raises(ConfigurationError, match="has no key"):
        merge_partitioned(lake.silver(), [], up_to_batch=1, runner=LocalRunner())


@pytest.mark.parametrize("machine", [PartitionedMerges, PartitionedReads])
def test_whatever_a_source_does_silver_is_its_last_state(machine):
    run_state_machine_as_test(machine, settings=settings())


def test_job_merges_what_the_last_drain_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    source = Source(str(tmp_path / "lake"), KEYED)
    source.receive(event("c", row(1, "a", "x"), lsn=10, prev=5))
    with pytest.raises(ConfigurationError, match="no drain has checked the contracts yet"):
        work_on_tables(source.settings, ["public.*"], LocalRunner())
    record_checked(source.layout, Checked(1))
    source.receive(event("c", row(2, "b", "y"), lsn=20, prev=15))
    [report] = work_on_tables(source.settings, ["public.*"], LocalRunner())
    assert (report.batch, report.changes) == (1, 1)
    record_checked(source.layout, Checked(2, frozenset([TABLE])))
    assert work_on_tables(source.settings, ["public.*"], LocalRunner()) == []
    record_checked(source.layout, Checked(2))
    work_on_tables(source.settings, ["public.*"], LocalRunner())
    assert source.rows() == [(1, "a", "x"), (2, "b", "y")]
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings), runner=LocalRunner())
    assert source.rows() == [(1, "a", "x"), (2, "b", "y")]
