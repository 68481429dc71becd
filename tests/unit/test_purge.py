"""Deleted rows go from silver only where nothing older brings them back, whatever still comes, and however late."""

import datetime as dt
import json

import pytest
from typer.testing import CliRunner

from connectors.cdc.merge import merge_table, open_silver
from connectors.cdc.rebuild import rebuild_silver
from connectors.cdc.replay import quarantined_messages, replay_table
from connectors.cdc.retention import purge_silver, trim_bronze
from connectors.changes.markers import Marker
from connectors.changes.order import Position
from connectors.errors import CommitConflict
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import record_contracts
from connectors.lake.epoch_log import ensure_epoch, registered_slot_epoch
from connectors.lake.silver.baseline import Baseline, BaselineKind
from connectors.lake.silver.merge import SilverMerge
from connectors.lake.silver.purge import merged_through, purge_deleted
from connectors.lake.storage import data_files, open_table, scratch_connection
from connectors.postgres.replication import ServerIdentity
from deployments.cli import app
from tests.events import PLACEHOLDER, event
from tests.lake import as_recorded
from tests.silver_lake import KEYED, KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source

TOMORROW = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
BORN = event("c", row(1, "a", "x"), lsn=10, prev=5)
CHANGED = event("u", row(1, "A", PLACEHOLDER), lsn=15, prev=12)
DIED = event("d", row(1, None, None), lsn=20, prev=16)
OTHER = event("c", row(2, "b", "y"), lsn=30, prev=25)
BEHIND = Marker(1, 100)
NO_COLUMN = (b'{"id":3}', b"{broken", [("lakehouse.epoch", b"1")])
ALIVE = (2, "b", "y", False)


class Deleting(Source):
    """A source whose rows are deleted, and whose drains reach markers."""

    def merge(self, *messages, marker=None):
        self.receive(*messages)
        if marker is not None:
            BronzeLog(self.layout).confirm(marker)
        merge_table(self.settings, TABLE, checked=as_recorded(self.settings))

    def receive(self, *messages):
        left_out = registered_slot_epoch(self.layout).placeholder.encode()
        super().receive(*((key, value.replace(PLACEHOLDER.encode(), left_out), h) for key, value, h in messages))

    def purge(self, *, before=TOMORROW, dry_run=False):
        report = purge_silver(self.settings, TABLE, before=before, dry_run=dry_run)
        return report.purged, report.kept

    def stored(self):
        """All rows of silver, deleted ones too."""
        uri = self.layout.silver(TABLE)
        if not (files := [f["path"] for f in data_files(uri, open_table(uri))]):
            return []
        with scratch_connection(uri) as connection:
            query = f"SELECT id, name, big, _cdc_deleted FROM read_parquet({files!r}, union_by_name = true) ORDER BY id"
            return connection.execute(query).fetchall()


@pytest.fixture
def root(tmp_path):
    """Where the lake is made; the same tests run with it on S3."""
    return f"{tmp_path}/lake"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))


@pytest.fixture
def source(root):
    return Deleting(root, KEYED)


@pytest.fixture
def purged(source):
    """A row came, changed and went, and nothing is left of it; another one is there."""
    source.merge(BORN, CHANGED, DIED, OTHER, marker=BEHIND)
    assert source.purge() == (1, "")
    assert source.stored() == [ALIVE]
    return source


def test_dry_run_changes_nothing(source):
    source.merge(BORN, DIED, OTHER, marker=BEHIND)
    assert source.purge(dry_run=True) == (1, "")
    assert source.stored() == [(1, "a", "x", True), ALIVE]
    assert open_silver(source.settings, TABLE).progress.purged_lsn == 0


def test_rows_deleted_lately_stay(source):
    source.merge(BORN, DIED, marker=BEHIND)
    report = purge_silver(source.settings, TABLE, before=dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dry_run=False)
    assert (report.deleted, report.purged, report.younger, report.kept) == (1, 0, 1, "")


def test_rows_stay_until_a_marker_behind_them_is_drained(source):
    source.merge(BORN, DIED)
    assert source.purge() == (0, "older changes may still come: `lakehouse drain`")
    source.merge(OTHER, marker=Marker(1, 16))
    assert source.purge() == (0, "older changes may still come: `lakehouse drain`")
    source.merge(event("u", row(2, "c", "y"), lsn=40, prev=35), marker=Marker(1, 17))
    assert source.purge() == (1, "")


def test_rows_stay_while_something_older_is_not_merged(source):
    """By another stream partition, say."""
    source.merge(DIED, OTHER)
    source.receive(BORN)
    BronzeLog(source.layout).confirm(BEHIND)
    assert source.purge() == (0, "older changes may still come: `lakehouse drain`")
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.purge() == (1, "")
    assert source.stored() == [ALIVE]


def test_newer_changes_that_are_not_merged_keep_nothing(source):
    source.merge(BORN, DIED, OTHER, marker=BEHIND)
    source.receive(event("c", row(1, "again", "z"), lsn=40, prev=35))
    assert source.purge() == (1, "")
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.stored() == [(1, "again", "z", False), ALIVE]


def test_rows_stay_while_the_rows_of_the_table_are_read(source):
    source.merge(BORN, DIED, OTHER, marker=BEHIND)
    baseline = Baseline(BaselineKind.RESYNC, BronzeLog(source.layout).batch, Position(1, 110, 0, 0))
    record_contracts(source.layout, [KEYED], 120, baseline=baseline, force=True)
    assert source.purge() == (0, "its snapshot is not complete")


def test_rows_stay_while_messages_are_rejected(source):
    source.merge(BORN, DIED, NO_COLUMN, marker=BEHIND)
    assert source.purge() == (0, "messages are rejected: see `lakehouse quarantine list`")


@pytest.mark.parametrize(
    "late",
    [
        [BORN],
        [CHANGED],
        [DIED],
        [BORN, CHANGED, DIED],
        [event("r", row(1, "a", "x"), lsn=None, prev=12)],
        # It moved, and left a value out: of a row that nobody knows any more.
        [event("c", row(1, "a", PLACEHOLDER), lsn=12, prev=8, old_key={"id": 9})],
    ],
    ids=["insert", "update", "delete", "all", "read", "moved"],
)
def test_what_comes_late_of_a_purged_row_does_not_bring_it_back(purged, late):
    purged.merge(*late)
    assert purged.stored() == [ALIVE]
    assert open_table(purged.layout.quarantine) is None or not quarantined_messages(purged.settings, TABLE, limit=1)


def test_row_that_comes_again_after_the_purge_is_there(purged):
    purged.merge(BORN, event("c", row(1, "again", "z"), lsn=110, prev=105), DIED)
    assert purged.stored() == [(1, "again", "z", False), ALIVE]
    purged.merge(CHANGED, DIED)
    assert purged.stored() == [(1, "again", "z", False), ALIVE]


def test_late_change_of_a_row_that_is_there_is_older(purged):
    purged.merge(event("c", row(2, "older", "o"), lsn=6, prev=4))
    assert purged.stored() == [ALIVE]


def test_deleted_rows_of_an_earlier_epoch_go_and_those_of_the_new_one_wait_for_its_marker(source):
    source.merge(BORN, OTHER, event("d", row(1, None, None), lsn=40, prev=35), marker=BEHIND)
    ensure_epoch(
        source.layout,
        slot="other",
        slot_exists=False,
        identity=ServerIdentity(system_identifier="1", timeline=1),
        tables=[TABLE],
    )
    source.merge(
        event("r", row(2, "b", "y"), lsn=7, epoch=2, snapshot="true"),
        event("r", row(3, "c", "z"), lsn=7, epoch=2, snapshot="last"),
        event("d", row(3, None, None), lsn=20, prev=16, epoch=2),
    )
    assert source.purge() == (1, "older changes may still come: `lakehouse drain`")
    source.merge(BORN, event("d", row(1, None, None), lsn=40, prev=35))
    assert source.stored() == [ALIVE, (3, "c", "z", True)]
    source.merge(marker=Marker(2, 50))
    assert source.purge() == (1, "")
    source.merge(event("r", row(3, "c", "z"), lsn=7, epoch=2))
    assert source.stored() == [ALIVE]


def test_new_epoch_begins_without_a_purge(purged):
    """Its positions may be smaller."""
    purged.merge(event("c", row(1, "anew", "n"), lsn=20, prev=10, epoch=2))
    assert open_silver(purged.settings, TABLE).progress.purged_lsn == 0
    purged.merge(event("c", row(4, "anew", "n"), lsn=15, prev=9, epoch=2))
    assert [r for r in purged.stored() if not r[-1]] == [(1, "anew", "n", False), (4, "anew", "n", False)]


def test_rows_that_are_read_anew_are_all_taken(purged):
    """A purge meanwhile does not hide what the reading saw, or what came since."""
    baseline = Baseline(BaselineKind.RESYNC, BronzeLog(purged.layout).batch, Position(1, 50, 0, 0))
    read = event("r", row(7, "read", "r"), lsn=60)
    read = (read[0], read[1], [*read[2], ("lakehouse.after", b"50")])
    purged.merge(event("c", row(8, "since", "s"), lsn=70, prev=65), event("c", row(2, "b", "y"), lsn=75, prev=72), read)
    record_contracts(purged.layout, [KEYED], 90, baseline=baseline, force=True)
    purged.merge(marker=Marker(1, 120))
    alive = [r for r in purged.stored() if not r[-1]]
    assert alive == [(2, "b", "y", False), (7, "read", "r", False), (8, "since", "s", False)]


def test_rebuild_has_the_deleted_rows_again(purged):
    assert rebuild_silver(purged.settings, TABLE, checked=as_recorded(purged.settings)).differing == 0
    assert purged.stored() == [(1, "A", "x", True), ALIVE]
    purged.merge(BORN)
    assert purged.stored() == [(1, "A", "x", True), ALIVE]
    assert purged.purge() == (1, "")


def test_rebuild_from_a_snapshot_knows_of_the_purge(purged):
    open_table(purged.layout.bronze).update({"ingest_date": "CAST('2020-01-01' AS DATE)"})
    trim_bronze(purged.settings, TABLE, before=dt.date(2020, 1, 2), dry_run=False)
    rebuild_silver(purged.settings, TABLE, checked=as_recorded(purged.settings))
    purged.merge(BORN)
    assert purged.stored() == [ALIVE]


def test_message_that_was_settled_stays_so(source):
    """It was superseded by what is purged later."""
    unknown = event("u", row(1, "a", PLACEHOLDER), lsn=12, prev=8)
    source.merge(unknown, OTHER)
    source.merge(DIED, marker=BEHIND)
    assert replay_table(source.settings, TABLE, checked=as_recorded(source.settings)).superseded == 1
    assert source.purge() == (1, "")
    source.merge(NO_COLUMN)
    assert replay_table(source.settings, TABLE, checked=as_recorded(source.settings)).rejected == 1
    assert [m.outcome for m in quarantined_messages(source.settings, TABLE, limit=9, every=True)] == [
        "superseded",
        "rejected",
    ]


def test_of_a_purge_and_a_merge_one_looks_again(source):
    source.merge(BORN, DIED, OTHER, marker=BEHIND)
    stale = open_silver(source.settings, TABLE)
    source.merge(event("c", row(3, "c", "z"), lsn=40, prev=35))
    with pytest.raises(CommitConflict):
        purge_deleted(stale, before=TOMORROW, progress=merged_through(BronzeLog(source.layout), stale))
    merging = open_silver(source.settings, TABLE)
    assert source.purge() == (1, "")
    source.receive(BORN)
    files = BronzeLog(source.layout).files(after_batch=merging.batch)["public.t"]
    with pytest.raises(CommitConflict):
        SilverMerge(merging).merge_changes(files, up_to_batch=BronzeLog(source.layout).batch)
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.stored() == [ALIVE, (3, "c", "z", False)]


def test_two_purges_are_like_one(purged):
    assert purged.purge() == (0, "")
    assert purged.stored() == [ALIVE]


def test_of_two_purges_at_once_one_looks_again(source):
    source.merge(BORN, DIED, OTHER, marker=BEHIND)
    one, other = (open_silver(source.settings, TABLE) for _ in range(2))
    progress = merged_through(BronzeLog(source.layout), one)
    purge_deleted(one, before=TOMORROW, progress=progress)
    with pytest.raises(CommitConflict):
        purge_deleted(other, before=TOMORROW, progress=progress)
    assert source.purge() == (0, "")


def test_history_of_a_table_without_key_stays(root):
    source = Deleting(root, KEYLESS)
    source.merge(BORN, event("d", row(1, "a", "x"), lsn=20, prev=16), marker=BEHIND)
    assert source.purge() == (0, "it has no key: silver is its history")
    assert len(source.stored()) == 2


def test_command_is_dry_by_default(source, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_LAKE__ROOT", source.settings.lake.root)
    monkeypatch.setenv("LAKEHOUSE_CDC__SOURCE", "s")
    source.merge(BORN, DIED, OTHER, marker=BEHIND)
    open_table(source.layout.silver(TABLE)).update({"_cdc_merged_at": "'2020-01-01T00:00:00Z'"})
    run = CliRunner().invoke
    dry = run(app, ["silver", "purge", "public.*"])
    assert dry.exit_code == 0, dry.output
    assert "Nothing was changed" in dry.stderr
    assert len(source.stored()) == 2
    [done] = json.loads(run(app, ["silver", "purge", "public.*", "--yes", "--json"]).stdout)
    assert done == {"table": "public.t", "deleted": 1, "purged": 1, "younger": 0, "kept": ""}
    assert source.stored() == [ALIVE]
