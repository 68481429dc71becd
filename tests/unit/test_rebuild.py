"""A silver table recreated from bronze equals the one that was merged step by step, and takes its place at once."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path

import pytest
from deltalake import write_deltalake

from connectors.cdc import rebuild
from connectors.cdc.merge import merge_table, misleading_tables, open_silver, pending_tables
from connectors.cdc.rebuild import rebuild_silver
from connectors.errors import CommitConflict, ConfigurationError
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import record_contracts
from connectors.lake.epoch_log import ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.lake.silver.replace import replace_rows
from connectors.lake.storage import open_table
from connectors.postgres.contracts import ColumnContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import ServerIdentity
from connectors.settings import CdcSettings, LakeSettings, Settings
from tests.events import event, raw_batch
from tests.lake import as_recorded, with_cdc
from tests.silver_lake import KEYED, KEYLESS, row

TABLE = TableName("public", "t")
EVENTS = [
    event("r", row(1, "a", "x"), lsn=10),
    event("r", row(2, "b", "y"), lsn=10, snapshot="last"),
    event("u", row(1, "A", "x"), lsn=30, prev=25),
    event("d", row(2, None, None), lsn=40, prev=35),
    (b"{}", b"{broken", [("lakehouse.epoch", b"1")]),
    event("c", row(3, "c", "z"), lsn=50, prev=45),
    event("t", lsn=60, prev=55),
    event("c", row(4, "d", "w"), lsn=70, prev=65),
]


class Source:
    """A registered source without its services: what is in its lake."""

    def __init__(self, root, contract):
        self.settings = Settings(lake=LakeSettings(root=root), cdc=CdcSettings(source="s"))
        self.layout = LakeLayout(self.settings.lake.root, "s")
        self.contract = contract
        record_contracts(self.layout, [contract], 0)
        identity = ServerIdentity(system_identifier="1", timeline=1)
        ensure_epoch(self.layout, slot="s", slot_exists=False, identity=identity, tables=[contract.table])
        self.offset = 0

    def copy(self, root):
        """The same source with a copy of its lake."""
        shutil.copytree(self.settings.lake.root, root)
        other = copy(self)
        other.settings = self.settings.model_copy(update={"lake": LakeSettings(root=root)})
        other.layout = LakeLayout(root, "s")
        return other

    def receive(self, *messages):
        raw = raw_batch(list(messages), first_offset=self.offset)
        BronzeLog(self.layout).append(raw, tables={"s.public.t": "public.t"})
        self.offset += len(messages)

    def rows(self):
        with query_lake(self.settings, "SELECT id, name, big FROM silver.t ORDER BY ALL") as result:
            return result.fetchall()

    def corrupt(self):
        open_table(self.layout.silver(TABLE)).delete()


@pytest.fixture(scope="module", params=[KEYED, KEYLESS], ids=["keyed", "keyless"])
def merged(tmp_path_factory, request):
    """A source whose events were merged one by one; each test gets a copy."""
    source = Source(str(tmp_path_factory.mktemp("merged") / "lake"), request.param)
    for message in EVENTS:
        source.receive(message)
        merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    return source


@pytest.fixture
def source(merged, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    return merged.copy(str(tmp_path / "lake"))


@pytest.fixture
def rounded(tmp_path, monkeypatch):
    """A table whose key's statistics are rounded, as a release before wrote them."""
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    key = ColumnContract(name="id", type_name="numeric", precision=20, scale=0, nullable=False)
    source = Source(str(tmp_path / "lake"), KEYED.model_copy(update={"columns": (key, *KEYED.columns[1:])}))
    source.keys = [str(99999999999999990000 + n) for n in range(3)]
    for n, id_ in enumerate(source.keys):
        source.receive(event("c", row(id_, "a", "x"), lsn=10 + n, prev=9))
        merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    silver = open_silver(source.settings, TABLE).table
    rows = silver.to_pyarrow_table()
    silver.alter.set_table_properties({"delta.dataSkippingStatsColumns": "id,_cdc_lsn"})
    write_deltalake(silver, rows, mode="overwrite")
    return source


def test_merges_at_once_end_well_however_many_slices_there_are(source):
    for n in range(20):
        source.receive(event("c", row(10 + n, "a", "x"), lsn=100 + n, prev=99))
    settings = with_cdc(source.settings, slice_rows=1)
    with ThreadPoolExecutor(3) as threads:
        runs = [threads.submit(merge_table, settings, TABLE, checked=as_recorded(settings)) for _ in range(3)]
        assert sum(run.result().changes for run in runs) == 20
    assert [id_ for id_, *_ in source.rows()] == [4, *range(10, 30)]


def test_changes_find_rows_that_rounded_statistics_hide(rounded):
    assert misleading_tables(rounded.settings) == {TABLE: ["id"]}
    for n, id_ in enumerate(rounded.keys):
        rounded.receive(event("u", row(id_, "b", "y"), lsn=100 + n, prev=99))
        merge_table(rounded.settings, TABLE, checked=as_recorded(rounded.settings))
    assert [values for _, *values in rounded.rows()] == [["b", "y"]] * 3


def test_rebuild_leaves_no_rounded_statistics(rounded):
    assert rebuild_silver(rounded.settings, TABLE, checked=as_recorded(rounded.settings)).differing == 0
    assert misleading_tables(rounded.settings) == {}


def test_key_of_floats_is_compared_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    key = ColumnContract(name="id", type_name="float8", nullable=False)
    source = Source(str(tmp_path / "lake"), KEYED.model_copy(update={"columns": (key, *KEYED.columns[1:])}))
    for n, id_ in enumerate((0.1, "NaN", -0.0)):
        source.receive(event("c", row(id_, "a", "x"), lsn=10 + n, prev=9))
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    report = rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert (report.rows, report.differing) == (3, 0)


def test_rebuilt_table_is_the_merged_one(source):
    before = source.rows()
    report = rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert (report.rows, report.differing) == (len(before), 0)
    assert source.rows() == before != []
    assert open_table(source.layout.rebuild(TABLE)) is None


def test_rebuild_repairs_silver_and_says_how_much_was_wrong(source):
    before = source.rows()
    source.corrupt()
    assert source.rows() == []
    assert rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings)).differing == len(before)
    assert source.rows() == before


def test_merges_go_on_from_where_the_rebuild_got(source):
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert pending_tables(source.settings) == []
    source.receive(EVENTS[0], event("c", row(5, "e", "v"), lsn=80, prev=75))
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    assert (5, "e", "v") in source.rows()
    assert (1, "a", "x") not in source.rows()


def test_rebuild_takes_what_is_not_merged_yet(source):
    source.receive(event("c", row(5, "e", "v"), lsn=80, prev=75))
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert (5, "e", "v") in source.rows()
    assert pending_tables(source.settings) == []


def test_readers_of_the_old_version_are_not_disturbed(source):
    old = open_table(source.layout.silver(TABLE))
    version, files = old.version(), old.file_uris()
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    old.load_as_version(version)
    assert old.file_uris() == files


def test_rejected_messages_are_quarantined_once(source):
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert open_table(source.layout.quarantine).count() == 1


def test_rebuild_goes_on_where_a_killed_one_stopped(source):
    """A killed rebuild leaves a table beside the old one, which has reached some batch."""
    before = source.rows()
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings), into=source.layout.rebuild(TABLE))
    source.receive(event("c", row(5, "e", "v"), lsn=80, prev=75))
    assert rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings)).changes == 1
    assert source.rows() == sorted([*before, (5, "e", "v")])


def test_rebuild_never_goes_on_from_one_that_was_finished(source):
    """Killed after the switch, a rebuild leaves its table behind."""
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings), into=source.layout.rebuild(TABLE))
    finished = open_silver(source.settings, TABLE, at=source.layout.rebuild(TABLE))
    replace_rows(open_silver(source.settings, TABLE), finished)
    assert rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings)).changes == len(EVENTS)


def test_rebuild_is_not_held_up_by_a_table_that_was_half_removed(source):
    """Killed while it removes its own table, a rebuild leaves one that can't be opened."""
    before = source.rows()
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings), into=source.layout.rebuild(TABLE))
    (Path(source.layout.rebuild(TABLE)) / "_delta_log" / f"{0:020}.json").unlink()
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.rows() == before


@pytest.mark.parametrize("step", ["merge_table", "compare_rows", "replace_rows", "settle_rejected"])
def test_rebuild_that_another_one_overtakes_begins_again(source, monkeypatch, step):
    before, work, overtaken = source.rows(), getattr(rebuild, step), []

    def overtake(*given, **named):
        if not overtaken:
            overtaken.append(step)
            rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
        return work(*given, **named)

    monkeypatch.setattr(rebuild, step, overtake)
    report = rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert (report.rows, report.differing) == (len(before), 0)
    assert (source.rows(), overtaken) == (before, [step])
    assert open_table(source.layout.rebuild(TABLE)) is None
    assert open_table(source.layout.quarantine).count() == 1


def test_silver_is_never_replaced_by_a_table_that_is_behind(source):
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings), into=source.layout.rebuild(TABLE))
    behind = open_silver(source.settings, TABLE, at=source.layout.rebuild(TABLE))
    source.receive(event("c", row(5, "e", "v"), lsn=80, prev=75))
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    with pytest.raises(CommitConflict, match="further"):
        replace_rows(open_silver(source.settings, TABLE), behind)


def test_unknown_table_is_refused(source):
    with pytest.raises(ConfigurationError, match="not a captured table"):
        rebuild_silver(source.settings, TableName("public", "nonesuch"), checked=as_recorded(source.settings))
