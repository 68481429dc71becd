"""Maintenance changes what a table is made of, never what it holds, whoever writes to it meanwhile."""

import datetime as dt
import os
import re
import time
from pathlib import Path

import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from connectors.cdc.maintenance import maintain_table, maintained_tables
from connectors.cdc.merge import merge_table, open_silver
from connectors.cdc.rebuild import rebuild_silver
from connectors.errors import CommitConflict, ConfigurationError
from connectors.lake.bronze import BronzeFile, BronzeLog
from connectors.lake.maintenance.bronze_files import compact_bronze, runs
from connectors.lake.maintenance.cleaning import clean_log, vacuum
from connectors.lake.maintenance.files import compact, depth, sort
from connectors.lake.silver.overwrite import overwrite_rows
from connectors.lake.storage import data_files, open_table, read_rows
from connectors.settings import MaintenanceSettings
from tests.events import event
from tests.lake import as_recorded
from tests.silver_lake import KEYED, KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source

DAY = dt.date(2026, 11, 1)
AT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
# Of what is older than 30 days, delta-rs cleans the log by itself.
THIRTY_HOURS = 30 * 3600 * 1000
LONG_AGO = time.time() - 5 * 24 * 3600


class Minutes(Source):
    """A source of which a change comes every minute; changes are merged at once, or stay pending."""

    def __init__(self, root, contract):
        super().__init__(root, contract)
        maintenance = MaintenanceSettings(small_files=4)
        self.settings = self.settings.model_copy(update={"maintenance": maintenance})
        self.minute = 0

    def live(self, minutes, *, merged=True):
        for _ in range(minutes):
            self.minute += 1
            id_ = self.minute % 7
            self.receive(
                event("c", row(id_, f"at {self.minute}", "x"), lsn=10 * self.minute, prev=10 * self.minute - 5)
            )
            if merged:
                self.merge()
        return self

    def merge(self):
        merge_table(self.settings, TABLE, checked=as_recorded(self.settings))

    def batches(self):
        files = BronzeLog(self.layout).files()["public.t"]
        return [(f.first_batch, f.last_batch, f.rows) for f in files]

    def messages(self):
        rows = read_rows(open_table(self.layout.bronze))
        return sorted((r["batch"], r["stream_offset"], r["key"], r["value"], str(r["headers"])) for r in rows)

    def compact_bronze(self, merged=None):
        limits = {"rows": 1_000, "size": 2**20, "at_least": 4}
        merged = open_silver(self.settings, TABLE).batch if merged is None else merged
        return compact_bronze(self.layout, merged={"public.t": merged}, **limits, dry_run=False)


@pytest.fixture(params=[KEYED, KEYLESS], ids=["keyed", "keyless"])
def source(tmp_path, monkeypatch, request):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    return Minutes(str(tmp_path / "lake"), request.param)


def age(*folders, pattern="*"):
    """Everything in these folders was written long ago."""
    for folder in folders:
        for path in Path(folder).glob(pattern):
            os.utime(path, (LONG_AGO, LONG_AGO))


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


def test_bronze_is_compacted_below_what_silver_has_merged(source):
    source.live(6).live(5, merged=False)
    before = source.messages()
    [step] = source.compact_bronze()
    assert (step.kind, step.count) == ("compact", 6)
    assert source.batches() == [(1, 6, 6), *((n, n, 1) for n in range(7, 12))]
    assert source.messages() == before
    assert source.compact_bronze() == []
    source.merge()
    rows = source.rows()
    source.compact_bronze()
    assert source.batches() == [(1, 11, 11)]
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.rows() == rows


def test_positions_outlive_compaction(source):
    source.live(6)
    before = BronzeLog(source.layout)
    source.compact_bronze()
    assert BronzeLog(source.layout).batch == before.batch
    source.live(1)
    assert BronzeLog(source.layout).batch == before.batch + 1


def test_drain_that_read_before_a_compaction_reloads(source):
    source.live(6)
    bronze = BronzeLog(source.layout)
    stale = Source.receive
    source.compact_bronze()
    assert bronze.version < BronzeLog(source.layout).version
    stale(source, event("c", row(1, "later", "x"), lsn=900, prev=899))
    assert source.batches() == [(1, 6, 6), (7, 7, 1)]


@pytest.mark.parametrize("other", ["append", "trim", "compact", "optimize"])
def test_compaction_of_bronze_loses_to_whoever_takes_its_files(source, monkeypatch, other):
    """What another writer does between reading and committing is never undone."""
    source.live(8)
    before = source.messages()
    opened = BronzeLog.files

    def files(self, **options):
        found = opened(self, **options)
        monkeypatch.setattr(BronzeLog, "files", opened)
        if other == "append":
            source.live(1, merged=False)
        elif other == "trim":
            BronzeLog(source.layout).trim(TABLE, before=dt.date(2100, 1, 1), up_to_batch=8)
        elif other == "compact":
            source.compact_bronze(merged=6)
        else:
            open_table(source.layout.bronze).optimize.compact()
        return found

    monkeypatch.setattr(BronzeLog, "files", files)
    source.compact_bronze()
    assert [m for m in source.messages() if m[0] <= 8] == ([] if other == "trim" else before)
    assert len(source.messages()) == {"append": 9, "trim": 0}.get(other, 8)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40), st.integers(1, 40), st.booleans()), max_size=30))
def test_runs_take_every_file_between_their_ends(found):
    """Files of one or more batches each, of which some were cut in two; some are large."""
    files, batch = [], 0
    for number, (_, batches, rows, cut) in enumerate(found):
        first, batch = batch + 1, batch + batches
        day = DAY + dt.timedelta(days=sum(d for d, *_ in found[: number + 1]))
        names = [f"{number}a", f"{number}b"] if cut else [f"{number}"]
        files += [BronzeFile(name, first, batch, rows, 10, day, AT) for name in names]
    for run in runs(files, rows=160, size=1_000_000, at_least=2):
        first, last, [day] = run[0].first_batch, run[-1].last_batch, {f.ingest_date for f in run}
        within = {f.path for f in files if f.ingest_date == day and first <= f.last_batch and f.first_batch <= last}
        assert within == {f.path for f in run}
        assert len(run) >= 2
        assert sum(f.rows for f in run) <= 160


def test_runs_leave_large_files_and_few_small_ones():
    def file(batch, rows):
        return BronzeFile(f"{batch}", batch, batch, rows, 1, DAY, AT)

    files = [file(1, 1), file(2, 1), file(3, 500), file(4, 1), file(5, 1), file(6, 1), file(7, 1)]
    [run] = runs(files, rows=1_000, size=100, at_least=3)
    assert [f.first_batch for f in run] == [4, 5, 6, 7]


def test_small_files_of_silver_become_one(source):
    source.live(6)
    rows, uri = source.rows(), source.layout.silver(TABLE)
    count = len(open_table(uri).file_uris())
    assert count >= 4
    step = compact(uri, target=8 * 2**20, at_least=4, dry_run=False)
    assert (step.kind, step.count) == ("compact", count)
    assert len(open_table(uri).file_uris()) == 1
    assert source.rows() == rows
    assert compact(uri, target=8 * 2**20, at_least=4, dry_run=False) is None


def test_merge_that_read_before_a_compaction_merges_again(source):
    source.live(5)
    silver = open_silver(source.settings, TABLE)
    open_table(silver.uri).optimize.z_order(["id"])
    source.live(1, merged=False)
    source.merge()
    assert (source.minute % 7, f"at {source.minute}", "x") in source.rows()


def test_overwrite_never_leaves_the_rows_of_a_compaction(source):
    source.live(6)
    silver = open_silver(source.settings, TABLE)
    open_table(silver.uri).optimize.z_order(["id"])
    with pytest.raises(CommitConflict):
        overwrite_rows(
            silver.table, None, root=silver.uri, schema=silver.schema, progress=silver.progress.as_transactions()
        )


def test_files_are_sorted_when_their_ranges_overlap(source):
    for first in range(10):
        source.receive(*(event("c", row(first + 20 * n, "a", "x"), lsn=first + 1, prev=first) for n in range(3)))
        source.merge()
    rows, uri = source.rows(), source.layout.silver(TABLE)
    step = sort(uri, ["id"], target=8 * 2**20, dry_run=False)
    assert step.reason == "a value of id may be in 10 of 10 files"
    assert source.rows() == rows
    assert sort(uri, ["id"], target=8 * 2**20, dry_run=False) is None


def test_depth_of_ranges():
    assert depth([]) == 0
    assert depth([(1, 2), (None, None)]) == 0
    assert depth([(1, 2), (3, 4), (5, 6)]) == 1
    assert depth([(1, 9), (1, 9), (1, 9)]) == 3
    assert depth([(1, 2), (2, 3)]) == 2


def test_vacuum_takes_what_is_old_and_replaced_and_what_killed_writers_left(source):
    source.live(3)
    uri = source.layout.silver(TABLE)
    orphan, young = Path(uri) / "part-killed.parquet", Path(uri) / "part-being-written.parquet"
    for path in (orphan, young):
        path.write_bytes(b"x")
    os.utime(orphan, (LONG_AGO, LONG_AGO))
    before, rows = files_of(uri), source.rows()
    assert vacuum(uri, hours=24, dry_run=True).count == 1
    assert files_of(uri) == before
    assert vacuum(uri, hours=24, dry_run=False).count == 1
    assert (orphan.exists(), young.exists()) == (False, True)
    assert vacuum(uri, hours=24, dry_run=False) is None
    assert source.rows() == rows


def test_file_that_was_replaced_lately_stays_although_a_checkpoint_forgot_it(source):
    """Vacuum takes a file that no log names for an orphan, by the file's own age."""
    source.live(2)
    uri = source.layout.silver(TABLE)
    pinned = [file["path"] for file in data_files(uri, open_table(uri))]
    age(uri, pattern="*.parquet")
    Path(uri, "part-killed.parquet").write_bytes(b"x")
    os.utime(Path(uri, "part-killed.parquet"), (LONG_AGO, LONG_AGO))
    open_table(uri).optimize.z_order(["id"])
    *_, replaced = sorted(Path(uri, "_delta_log").glob("*.json"))
    removed = re.compile(r'"deletionTimestamp":(\d+)')
    replaced.write_text(
        removed.sub(lambda found: f'"deletionTimestamp":{int(found[1]) - THIRTY_HOURS}', replaced.read_text())
    )
    vacuum(uri, hours=100, dry_run=False)
    open_table(uri).create_checkpoint()
    for entry in Path(uri, "_delta_log").glob("*.json"):
        entry.unlink()
    assert vacuum(uri, hours=100, dry_run=False) is None
    assert all(Path(path).exists() for path in pinned)


def test_reader_of_an_older_version_reads_on(source):
    source.live(3)
    uri = source.layout.silver(TABLE)
    pinned = [file["path"] for file in data_files(uri, open_table(uri))]
    source.live(3)
    vacuum(uri, hours=24, dry_run=False)
    assert all(Path(path).exists() for path in pinned)


def test_log_is_cleaned_up_to_a_checkpoint(source):
    source.live(120, merged=False)
    uri, log = source.layout.bronze, Path(source.layout.bronze) / "_delta_log"
    assert clean_log(uri, days=2, dry_run=False) is None
    age(log)
    messages, batch = source.messages(), BronzeLog(source.layout).batch
    before = files_of(log)
    step = clean_log(uri, days=2, dry_run=True)
    assert files_of(log) == before
    assert clean_log(uri, days=2, dry_run=False) == step
    # Setting how long the log is kept is a commit of its own.
    assert len(before) + 1 - len(files_of(log)) == step.count
    assert (source.messages(), BronzeLog(source.layout).batch) == (messages, batch)
    source.live(1)
    assert clean_log(uri, days=2, dry_run=False) is None


def test_one_run_does_everything_and_the_next_one_nothing(source):
    source.live(20)
    for uri in (source.layout.bronze, source.layout.silver(TABLE)):
        open_table(uri).create_checkpoint()
        age(f"{uri}/_delta_log")
    rows, before = source.rows(), files_of(source.settings.lake.root)
    planned = {t: maintain_table(source.settings, t).steps for t in maintained_tables(source.settings)}
    assert files_of(source.settings.lake.root) == before
    done = {t: maintain_table(source.settings, t, dry_run=False).steps for t in maintained_tables(source.settings)}
    assert {t: [s.kind for s in steps] for t, steps in done.items()} == {
        t: [s.kind for s in steps] for t, steps in planned.items()
    }
    assert [step.kind for step in done["bronze"]] == ["compact", "log"]
    assert source.rows() == rows
    again = {t: maintain_table(source.settings, t, dry_run=False).steps for t in maintained_tables(source.settings)}
    assert not any(again.values())


def test_retention_is_part_of_it_where_it_is_set(source):
    days = {"bronze_days": 1, "deleted_days": 1, "small_files": 4}
    source.settings = source.settings.model_copy(update={"maintenance": MaintenanceSettings(**days)})
    source.live(2)
    open_table(source.layout.bronze).update({"ingest_date": "CAST('2020-01-01' AS DATE)"})
    report = maintain_table(source.settings, "bronze", dry_run=False)
    assert [(step.kind, step.count) for step in report.steps] == [("trim", 2)]
    assert source.messages() == []


def test_unknown_table_and_column_are_named(source):
    source.live(1)
    with pytest.raises(ConfigurationError, match=r"no table of the lake is meant by public\.\?\?") as raised:
        maintained_tables(source.settings, ["public.??"])
    assert "public.t" in raised.value.hint
    wrong = MaintenanceSettings(sort_by={"public.t": ("nme",)})
    settings = source.settings.model_copy(update={"maintenance": wrong})
    with pytest.raises(ConfigurationError, match=r"public\.t has no column nme"):
        maintain_table(settings, "public.t")


def test_name_is_no_pattern(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    source = Minutes(str(tmp_path / "lake"), KEYED.model_copy(update={"table_name": "t[1]"}))
    [name] = maintained_tables(source.settings, ["public.t*1]"])
    assert name == "public.t[1]"
    assert maintain_table(source.settings, name).steps == ()


def test_lake_that_was_never_drained_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    source = Minutes(str(tmp_path / "lake"), KEYED)
    maintain_table(source.settings, "bronze", dry_run=False)
    assert not DeltaTable.is_deltatable(source.layout.bronze)
