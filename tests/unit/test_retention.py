"""Bronze is trimmed only where a snapshot of silver stands for it: whatever is rebuilt has all rows."""

import datetime as dt
import json

import pytest
from typer.testing import CliRunner

from connectors.cdc.drain import drained_batch
from connectors.cdc.merge import merge_table, open_silver
from connectors.cdc.rebuild import rebuild_silver
from connectors.cdc.replay import quarantined_messages
from connectors.cdc.retention import trim_bronze
from connectors.changes.markers import Marker
from connectors.errors import TerminalError
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import record_contracts
from connectors.lake.maintenance.cleaning import vacuum
from connectors.lake.reader import query_lake
from connectors.lake.silver.saved_copy import record_snapshot
from connectors.lake.storage import delete_table, open_table
from connectors.postgres.contracts import ColumnContract
from deployments.cli import app
from tests.events import PARTITION, event
from tests.lake import as_recorded
from tests.silver_lake import KEYED, KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source

BROKEN = (b'{"id":7}', b"{broken", [("lakehouse.epoch", b"1")])
LONG_AGO = dt.date(2020, 1, 1)
FIRST = [event("c", row(1, "a", "x"), lsn=10, prev=5), event("c", row(2, "b", "y"), lsn=20, prev=15)]
THEN = [event("c", row(3, "c", "z"), lsn=30, prev=25), event("d", row(2, "b", "y"), lsn=40, prev=35)]
LATER = event("c", row(4, "d", "w"), lsn=50, prev=45)
ROWS = [(1, "a", "x"), (3, "c", "z")]


class Old(Source):
    """A source whose messages can be made old."""

    def merge(self, *messages):
        self.receive(*messages)
        merge_table(self.settings, TABLE, checked=as_recorded(self.settings))

    def age(self):
        """All that is in bronze was received long ago."""
        open_table(self.layout.bronze).update({"ingest_date": f"CAST('{LONG_AGO}' AS DATE)"})

    def trim(self, *, dry_run=False):
        return trim_bronze(self.settings, TABLE, before=LONG_AGO + dt.timedelta(days=1), dry_run=dry_run)

    def messages(self):
        return sum(f.rows for files in BronzeLog(self.layout).files().values() for f in files)


@pytest.fixture
def root(tmp_path):
    """Where the lake is made; the same tests run with it on S3."""
    return f"{tmp_path}/lake"


@pytest.fixture(params=[KEYED, KEYLESS], ids=["keyed", "keyless"])
def source(root, tmp_path, monkeypatch, request):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    return Old(root, request.param)


@pytest.fixture
def trimmed(source):
    """Two batches were trimmed, one is left."""
    source.merge(*FIRST)
    source.merge(*THEN)
    source.age()
    source.merge(LATER)
    report = source.trim()
    assert (report.messages, report.kept) == (4, "")
    return source


def test_rebuild_begins_with_the_snapshot(trimmed):
    assert trimmed.messages() == 1
    assert rebuild_silver(trimmed.settings, TABLE, checked=as_recorded(trimmed.settings)).differing == 0
    trimmed.corrupt()
    rebuild_silver(trimmed.settings, TABLE, checked=as_recorded(trimmed.settings))
    assert trimmed.rows() == [*ROWS, (4, "d", "w")]
    trimmed.merge(event("c", row(5, "e", "v"), lsn=60, prev=55))
    assert (5, "e", "v") in trimmed.rows()


def test_dry_run_changes_nothing(source):
    source.merge(*FIRST)
    source.age()
    assert source.trim(dry_run=True).messages == 2
    assert source.messages() == 2
    assert open_table(source.layout.snapshot(TABLE)) is None


def test_only_what_is_old_goes(source):
    source.merge(*FIRST)
    assert source.trim().messages == 0
    assert source.messages() == 2


def test_days_stay_that_silver_has_not_merged(source):
    source.merge(*FIRST)
    source.receive(*THEN)
    source.age()
    report = source.trim()
    assert (report.messages, report.kept) == (0, "silver has not merged the rest")
    assert source.messages() == 4


def test_days_stay_that_hold_a_rejected_message(source):
    source.merge(*FIRST, BROKEN)
    source.age()
    assert "rejected" in source.trim().kept
    assert source.messages() == 3


def test_nothing_goes_that_a_replay_would_begin_with(source):
    """A snapshot of silver as it is now would be past it."""
    source.merge(*FIRST)
    source.age()
    source.merge(BROKEN)
    report = source.trim()
    assert (report.messages, "rejected" in report.kept) == (0, True)
    assert open_table(source.layout.snapshot(TABLE)) is None


def test_what_an_earlier_snapshot_stands_for_goes_before_a_rejected_message(source):
    source.merge(*FIRST)
    record_snapshot(source.layout, open_silver(source.settings, TABLE), at_least=1)
    source.age()
    source.merge(BROKEN)
    assert source.trim().messages == 2
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert len(quarantined_messages(source.settings, TABLE, limit=9)) == 1


def test_trimming_killed_before_bronze_was_touched_is_run_again(source):
    source.merge(*FIRST)
    source.age()
    record_snapshot(source.layout, open_silver(source.settings, TABLE), at_least=1)
    assert rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings)).changes == 2
    source.merge(*THEN)
    assert source.trim().messages == 2
    assert rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings)).differing == 0
    assert source.rows() == ROWS


def test_trimming_twice_renews_the_snapshot(trimmed):
    trimmed.age()
    assert trimmed.trim().messages == 1
    assert trimmed.trim().messages == 0
    trimmed.corrupt()
    rebuild_silver(trimmed.settings, TABLE, checked=as_recorded(trimmed.settings))
    assert trimmed.rows() == [*ROWS, (4, "d", "w")]


def test_rebuild_that_was_killed_before_the_trim_begins_again(source):
    """It had got to a batch behind which messages are gone now."""
    source.merge(*FIRST)
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings), into=source.layout.rebuild(TABLE))
    source.merge(*THEN)
    source.age()
    source.trim()
    with pytest.raises(TerminalError, match="was trimmed from bronze\nhint: `lakehouse rebuild"):
        merge_table(source.settings, TABLE, checked=as_recorded(source.settings), into=source.layout.rebuild(TABLE))
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.rows() == ROWS


def test_table_is_never_made_anew_without_the_rows_that_were_trimmed(trimmed):
    for lost in (trimmed.layout.snapshot(TABLE), trimmed.layout.silver(TABLE)):
        delete_table(lost)
    with pytest.raises(TerminalError, match=r"no snapshot of public\.t that has it\nhint: run `lakehouse resync"):
        rebuild_silver(trimmed.settings, TABLE, checked=as_recorded(trimmed.settings))
    with pytest.raises(TerminalError, match="was trimmed from bronze"):
        merge_table(trimmed.settings, TABLE, checked=as_recorded(trimmed.settings))


def test_columns_added_since_the_snapshot_are_there_after_a_rebuild(trimmed):
    added = ColumnContract(name="extra", type_name="int4", fill="42", number=4)
    contract = trimmed.contract.model_copy(update={"columns": (*trimmed.contract.columns, added)})
    record_contracts(trimmed.layout, [contract], 60)
    rebuild_silver(trimmed.settings, TABLE, checked=as_recorded(trimmed.settings))
    with query_lake(trimmed.settings, "SELECT id, big, extra FROM silver.t ORDER BY id") as rows:
        assert rows.fetchall() == [(1, "x", 42), (3, "z", 42), (4, "w", 42)]


def test_positions_and_numbers_outlive_trim_and_vacuum(trimmed):
    before = BronzeLog(trimmed.layout)
    before.confirm(Marker(1, 70))
    vacuum(trimmed.layout.bronze, hours=24, dry_run=False)
    table = open_table(trimmed.layout.bronze)
    table.create_checkpoint()
    table.cleanup_metadata()
    after = BronzeLog(trimmed.layout)
    assert after.positions([PARTITION]) == {PARTITION: 5}
    assert (after.batch, after.through, after.trimmed(TABLE)) == (before.batch, Marker(1, 70), 2)
    assert drained_batch(trimmed.settings) == 4


def test_command_is_dry_by_default(source, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_LAKE__ROOT", source.settings.lake.root)
    monkeypatch.setenv("LAKEHOUSE_CDC__SOURCE", "s")
    source.merge(*FIRST)
    source.age()
    run = CliRunner().invoke
    dry = run(app, ["bronze", "trim", "public.*"])
    assert dry.exit_code == 0, dry.output
    assert "Nothing was changed" in dry.stderr
    assert source.messages() == 2
    [done] = json.loads(run(app, ["bronze", "trim", "public.*", "--yes", "--json"]).stdout)
    assert (done["table"], done["messages"], source.messages()) == ("public.t", 2, 0)
    assert source.rows() == [(1, "a", "x"), (2, "b", "y")]
