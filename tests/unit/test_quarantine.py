"""Rejected messages are tried again in their place: silver is as if it had read them, and nothing is forgotten."""

import pytest

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.merge import merge_table, open_silver, pending_tables
from connectors.cdc.rebuild import rebuild_silver
from connectors.cdc.replay import quarantined_messages, rejected_groups, replay_table
from connectors.changes.markers import Marker
from connectors.changes.order import Position
from connectors.changes.toast import UNKNOWN_VALUE
from connectors.errors import ContractMismatch
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import record_contracts
from connectors.lake.epoch_log import current_slot_epoch
from connectors.lake.silver.baseline import Baseline, BaselineKind
from connectors.lake.silver.replace import replace_rows
from connectors.lake.storage import open_table
from connectors.postgres.types import TYPES
from tests.events import event
from tests.lake import as_recorded
from tests.silver_lake import KEYED, KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source

BAD, READ = [None], "[null]"
WHY = f'column "name" can not be read: [null] ({TYPES["_int4"].quarantined})'
BROKEN = (b'{"id":7}', b"{broken", [("lakehouse.epoch", b"1")])


def typed(contract, type_name):
    """The contract with another type of the name."""
    id_, name, big = contract.columns
    return contract.model_copy(update={"columns": (id_, name.model_copy(update={"type_name": type_name}), big)})


class Tried(Source):
    """A source whose rejected messages are tried again."""

    def __init__(self, root, contract=KEYED):
        super().__init__(root, typed(contract, "_int4"))
        self.contract = contract
        self.kept = current_slot_epoch(self.layout).placeholder

    def merge(self, *messages):
        self.receive(*messages)
        merge_table(self.settings, TABLE, checked=as_recorded(self.settings))

    def learn(self, *, type_name="varchar"):
        """From now on the name `BAD` can be read."""
        record_contracts(self.layout, [typed(self.contract, type_name)], 1)

    def forget(self):
        self.learn(type_name="_int4")

    def replay(self, *, checked=None):
        report = replay_table(self.settings, TABLE, checked=checked or as_recorded(self.settings))
        return report.replayed, report.superseded, report.rejected

    def rejected(self, *, every=False):
        found = quarantined_messages(self.settings, TABLE, limit=100, every=every)
        return {m.stream_offset: (m.outcome, m.reason) for m in found}

    def version(self):
        return open_table(self.layout.silver(TABLE)).version()


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    return Tried(str(tmp_path / "lake"))


@pytest.fixture
def history(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    return Tried(str(tmp_path / "lake"), KEYLESS)


def test_round_trip(source):
    source.merge(
        event("c", row(1, "a", "x"), lsn=10, prev=5),
        event("u", row(1, BAD, "y"), key={"id": 1}, lsn=20, prev=15),
        event("c", row(2, BAD, "z"), lsn=30, prev=25),
        event("c", row(3, "c", "w"), lsn=40, prev=35),
        BROKEN,
    )
    assert source.rows() == [(1, "a", "x"), (3, "c", "w")]
    assert [(g.table, g.reason, g.messages) for g in rejected_groups(source.settings)] == [
        ("public.t", 'column "name" can not be read', 2),
        ("public.t", "the value is not JSON", 1),
    ]
    [first, *_] = quarantined_messages(source.settings, TABLE, limit=1)
    assert (first.key, first.stream_offset, first.tried_at) == (b'{"id": 1}', 1, None)
    assert first.headers == {"lakehouse.epoch": b"1"}

    source.learn()
    assert source.replay() == (2, 0, 1)
    assert source.rows() == [(1, READ, "y"), (2, READ, "z"), (3, "c", "w")]
    assert source.rejected() == {4: ("rejected", "the value is not JSON")}
    assert source.rejected(every=True)[1] == ("replayed", WHY)
    assert {m.contract_version for m in quarantined_messages(source.settings, TABLE, limit=9, every=True)} == {2}


def test_replay_run_again_changes_nothing(source):
    source.merge(event("c", row(1, BAD, "x"), lsn=10, prev=5), BROKEN)
    source.learn()
    assert source.replay() == (1, 0, 1)
    version, rejected = source.version(), open_table(source.layout.replays).version()
    assert source.replay() == (0, 0, 1)
    assert (source.version(), open_table(source.layout.replays).version()) == (version, rejected)


def test_what_can_not_be_read_stays_with_its_newest_reason(source):
    source.merge(event("c", row(1, BAD, "x"), lsn=10, prev=5))
    version = source.version()
    source.learn(type_name="int4")
    assert source.replay() == (0, 0, 1)
    assert source.version() == version
    [message] = quarantined_messages(source.settings, TABLE, limit=9)
    assert (message.reason, message.contract_version) == ('column "name" can not be read: [null]', 2)


def test_newer_state_wins_over_what_is_replayed(source):
    source.merge(
        event("c", row(1, "old", "x"), lsn=10, prev=5),
        event("c", row(2, "old", "x"), lsn=11, prev=5),
        event("u", row(1, BAD, "y"), lsn=20, prev=15),
        event("u", row(2, BAD, "y"), lsn=21, prev=15),
        event("c", row(3, BAD, "y"), lsn=22, prev=15),
    )
    source.merge(
        event("u", row(1, "newer", "z"), lsn=30, prev=25),
        event("d", row(2, None, None), lsn=31, prev=25),
    )
    source.learn()
    assert source.replay() == (1, 2, 0)
    assert source.rows() == [(1, "newer", "z"), (3, READ, "y")]


def test_nothing_below_a_truncation_comes_back(source):
    source.merge(event("c", row(1, BAD, "x"), lsn=10, prev=5))
    source.merge(event("t", lsn=20, prev=15), event("c", row(2, BAD, "y"), lsn=30, prev=25))
    source.learn()
    assert source.replay() == (1, 1, 0)
    assert source.rows() == [(2, READ, "y")]


def test_value_that_a_later_change_left_out_is_that_of_the_replayed_one(source):
    source.merge(
        event("c", row(1, "a", "first"), lsn=10, prev=5),
        event("u", row(1, BAD, "second"), lsn=20, prev=15),
        event("c", row(2, "b", "of two"), lsn=21, prev=15),
        event("u", row(2, BAD, "new of two"), lsn=22, prev=15),
    )
    source.merge(
        event("u", row(1, "b", source.kept), lsn=30, prev=25),
        event("d", row(2, None, None), lsn=31, prev=25),
        event("c", row(9, "moved", source.kept), lsn=31, prev=25, old_key={"id": 2}),
    )
    source.learn()
    assert source.replay() == (0, 2, 0)
    assert source.rows() == [(1, "b", "second"), (9, "moved", "new of two")]


def test_change_that_needed_a_rejected_one_is_replayed_with_it(source):
    source.merge(event("c", row(1, BAD, "value"), lsn=10, prev=5))
    source.merge(event("u", row(1, "a", source.kept), lsn=20, prev=15))
    assert source.rejected()[1] == ("rejected", UNKNOWN_VALUE)
    source.learn()
    assert source.replay() == (1, 1, 0)
    assert source.rows() == [(1, "a", "value")]


def test_value_that_stays_unknown_is_looked_for_once_by_the_same_rules(source):
    source.merge(event("u", row(1, "a", source.kept), lsn=20, prev=15))
    assert source.replay() == (0, 0, 1)
    version = source.version()
    assert source.replay() == (0, 0, 1)
    assert source.version() == version
    source.merge(event("u", row(1, "b", "told"), lsn=30, prev=25))
    assert source.replay() == (0, 1, 0)
    assert source.rows() == [(1, "b", "told")]


def test_history_gets_each_image_once(history):
    same = row(1, BAD, "x")
    history.merge(
        event("c", same, lsn=10, prev=5),
        event("c", same, lsn=10, prev=5),
        event("c", row(2, "b", "y"), lsn=20, prev=15),
        event("d", same, lsn=30, prev=25),
    )
    history.learn()
    assert history.replay() == (3, 0, 0)
    assert history.replay() == (0, 0, 0)
    assert history.rows() == [(1, READ, "x"), (2, "b", "y")]


def test_replay_killed_before_it_was_recorded_is_run_again(source):
    source.merge(event("c", row(1, BAD, "x"), lsn=10, prev=5))
    source.learn()
    beside = source.layout.rebuild(TABLE)
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings), into=beside)
    replace_rows(open_silver(source.settings, TABLE), open_silver(source.settings, TABLE, at=beside))
    assert source.rejected() != {}
    assert source.replay() == (1, 0, 0)
    assert source.rows() == [(1, READ, "x")]
    assert open_table(beside) is None


def test_replay_reads_no_further_than_contracts_are_known_to_hold(source):
    """A drain beside it has brought more into bronze, and merged a part of that."""
    source.merge(event("c", row(1, BAD, "x"), lsn=10, prev=5))
    checked = ContractCheck(BronzeLog(source.layout).batch)
    source.merge(event("c", row(2, "b", "y"), lsn=20, prev=15))
    source.receive(event("c", row(3, "c", "z"), lsn=30, prev=25))
    source.learn()
    assert source.replay(checked=checked) == (1, 0, 0)
    assert source.rows() == [(1, READ, "x"), (2, "b", "y")]
    assert [pending.table for pending in pending_tables(source.settings)] == [TABLE]


def test_held_table_is_not_replayed(source):
    source.merge(event("c", row(1, BAD, "x"), lsn=10, prev=5))
    source.learn()
    version = source.version()
    with pytest.raises(ContractMismatch, match="why"):
        source.replay(checked=ContractCheck(1, paused={TABLE: ContractMismatch("why")}))
    assert source.version() == version


def test_any_rebuild_settles_and_may_reject_again(source):
    source.merge(event("c", row(1, BAD, "x"), lsn=10, prev=5), event("c", row(2, "b", "y"), lsn=20, prev=15))
    source.learn()
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.rejected() == {}
    source.forget()
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.rejected() == {0: ("rejected", WHY)}


def test_rebuild_quarantines_what_only_the_rules_of_now_reject(source):
    source.learn()
    source.merge(event("c", row(1, BAD, "x"), lsn=10, prev=5), BROKEN)
    source.forget()
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.rows() == []
    assert source.rejected().keys() == {0, 1}


def test_table_read_anew_supersedes_what_came_before_and_nothing_behind(source):
    source.merge(event("c", row(1, BAD, "x"), lsn=10, prev=5), BROKEN)
    baseline = Baseline(BaselineKind.RESYNC, BronzeLog(source.layout).batch, Position(1, 50, 0, 0))
    key, value, headers = event("r", row(1, "a", "x"), lsn=10)
    source.receive((key, value, [*headers, ("lakehouse.after", b"50")]), BROKEN)
    record_contracts(source.layout, [typed(KEYED, "_int4")], 60, baseline=baseline, force=True)
    BronzeLog(source.layout).confirm(Marker(1, 60))
    rebuild_silver(source.settings, TABLE, checked=as_recorded(source.settings))
    assert source.rejected() == {3: ("rejected", "the value is not JSON")}
    assert source.rows() == [(1, "a", "x")]
