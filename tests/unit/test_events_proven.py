"""Every row of the documented table of events is proven through the real Debezium."""

import pytest

from connectors.changes.events import EVENTS
from tests.cases.case import all_cases
from tests.integration import test_events as events
from tests.integration import test_events_epochs as epochs
from tests.integration import test_events_snapshots as snapshots
from tests.integration import test_events_stream as stream
from tests.integration import test_restarts as restarts
from tests.integration import test_resync as resync

PROOFS = {
    "delete of an unknown key": stream.test_delete_of_an_unknown_key_makes_a_deleted_row,
    "incremental-snapshot row": snapshots.test_incremental_snapshot_mends_and_replaces_nothing_newer,
    "blocking re-snapshot while transactions are open": (
        snapshots.test_blocking_snapshot_yields_to_transactions_that_were_open
    ),
    "primary-key change cut in two": restarts.test_row_whose_change_of_key_was_cut_in_two_is_read_again,
    "table resynced": resync.test_silver_that_is_wrong_is_right_again_and_stays_so,
    "snapshot restarted": epochs.test_snapshot_begun_anew_takes_back_what_the_first_one_saw,
    "new slot epoch": epochs.test_new_epoch_counts_more_than_all_before,
    "tombstone": events.test_tombstone_follows_each_delete_and_changes_nothing,
    "heartbeat": snapshots.test_idle_source_does_not_hold_the_log_that_its_neighbours_write,
    "transaction topic event": stream.test_transaction_topic_is_not_drained,
    "message with schema": stream.test_message_with_schema_is_read_as_its_payload,
    "unreadable message": events.test_unreadable_messages_are_quarantined_and_the_others_go_on,
    "event sent twice": stream.test_events_sent_again_keep_their_position_and_count_once,
    "several stream partitions per table": stream.test_changes_in_several_and_ever_more_stream_partitions,
    "change of the number of stream partitions": stream.test_changes_in_several_and_ever_more_stream_partitions,
    "recreated topic": epochs.test_new_epoch_counts_more_than_all_before,
    "position below the stream's earliest": events.test_messages_that_were_removed_before_they_were_read_are_an_error,
}
NAMES = [event.name for rows in EVENTS.values() for event in rows]


@pytest.mark.parametrize("name", NAMES)
def test_event_has_a_proof(name):
    assert name in PROOFS or name in {case.event for case in all_cases()}


def test_nothing_else_is_claimed_to_be_proven():
    assert {*PROOFS, *(case.event for case in all_cases())} <= set(NAMES)
    assert len(NAMES) == len(set(NAMES))
