"""Every event has a meaning: how it arrives, and what bronze and silver do with it.

Debezium's operations are known from here; `docs/events.md` is written from here; a test proves every row.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that happens at the source or to the stream.

    Attributes:
        name: What happens.
        arrives: Its shape in the stream.
        silver: What silver does with it.
        bronze: What bronze does with it.
        op: Debezium's `op` of it in the topic of a table, if that distinguishes it from others.
    """

    name: str
    arrives: str
    silver: str
    bronze: str = "keeps the message"
    op: str | None = None


CHANGES = (
    Event("insert", "`op` c, the row in `after`", "the row is there; a deleted row of its key comes back", op="c"),
    Event("update", "`op` u, the row in `after`", "the row has the new values", op="u"),
    Event(
        "delete",
        "`op` d, the key, or under the full identity the row, in `before`; a tombstone follows",
        "the row is kept with its last values and marked `_cdc_deleted`; readers' views leave it out",
        op="d",
    ),
    Event(
        "snapshot row",
        "`op` r, the row in `after`; first of all, while the source is being registered",
        "as an insert that is older than whatever was not committed when it was read",
        op="r",
    ),
    Event(
        "truncate",
        "`op` t, no key, no row",
        "a low watermark: every row below it is marked deleted with `_cdc_op` t, and nothing older comes back; "
        "without a key the rows' weights are taken back",
        op="t",
    ),
    Event(
        "unchanged TOAST value",
        "a placeholder in place of a large value that an update did not touch",
        "the value stays as it was, taken from an earlier change or from silver; an unknown one goes to quarantine",
    ),
    Event(
        "delete of an unknown key",
        "`op` d of a row that was never seen",
        "a deleted row with that key, so that no older change resurrects it",
    ),
    Event(
        "rows of one COPY",
        "`op` c, all with one LSN",
        "as inserts; without a primary key by stream offset",
    ),
    Event("change that is rolled back", "never", "nothing", bronze="nothing"),
    Event(
        "transactions that overlap",
        "transaction by transaction in order of commit, so that LSNs go backwards",
        "the change that was committed last counts, not the one that was written last",
    ),
)

KEYS = (
    Event("key of several columns", "a key of several fields", "one row per combination"),
    Event("key of another type than integer", "as JSON has it: text, a number, base64", "compared as the typed value"),
    Event(
        "primary-key change",
        "d of the old key, tombstone, c of the new key, at one LSN",
        "the old row is marked deleted, the row is there under its new key",
    ),
    Event(
        "key change with an unchanged TOAST value",
        "the same; the c leaves the value out and names the old key in a header",
        "the value is that of the old key at that position",
    ),
    Event(
        "key change A→B→A in one transaction",
        "d A, c B, d B, c A",
        "the row is there under A with its values, B is marked deleted",
    ),
    Event(
        "key change onto an equal numeric key",
        "1.0 becomes 1.00: d and c at one LSN",
        "the d goes first; an undeclared numeric is text, so 1.0 is marked deleted; 0 and -0 of a float are one row",
    ),
    Event(
        "key that is checked at commit",
        "a deferrable primary key, for a while the same for two rows: c before d",
        "as a table without key, because the key names no row while a transaction runs",
    ),
)

TABLES = (
    Event(
        "change of a table without key",
        "no key; the whole old row in `before`, because `source register` asks for the full identity",
        "a history: each image of a row with weight 1 where it came, -1 where it went; the view adds them up",
    ),
    Event("replica identity default", "`before` of a delete holds the key alone", "a deleted row keeps its values"),
    Event("replica identity full", "`before` and `after` are complete", "there are no unchanged TOAST values"),
    Event("replica identity using index", "the index's columns are the message's key", "they are the key"),
    Event(
        "partitioned table",
        "under the name of the table, from whatever partition; a row that moves is d and c",
        "one table; TRUNCATE, ATTACH, DETACH and DROP of a single partition do not arrive: `source check` warns",
    ),
    Event(
        "generated column",
        "a stored one as any other column (before PostgreSQL 18 not at all), a virtual one never",
        "a column like any other, or none",
    ),
)

SNAPSHOTS = (
    Event(
        "incremental-snapshot row",
        "`op` r without an LSN, between changes",
        "brings back what was lost; never replaces a change that was committed after it was read",
    ),
    Event(
        "blocking re-snapshot while transactions are open",
        "`op` r of the rows as they were before those transactions, then their changes with smaller LSNs",
        "the changes count, because a snapshot row stands before everything that was committed after it",
    ),
    Event(
        "table resynced",
        "`op` r with the header `lakehouse.after`: behind which marker it was read",
        "takes the place of what was committed before that marker; what was committed after it counts more",
    ),
    Event(
        "snapshot restarted",
        "`op` r of a snapshot that was interrupted, then `op` r of all rows with a greater LSN",
        "the later one counts; rows that only the first one saw are marked deleted",
    ),
    Event(
        "new epoch",
        "a greater number in the header `lakehouse.epoch`, then `op` r of all rows: the slot was recreated",
        "counts more than all before, whatever the LSNs; rows that the new snapshot did not see are marked deleted",
    ),
)

MESSAGES = (
    Event("tombstone", "no value, after a delete", "nothing"),
    Event(
        "logical message",
        "`op` m in topic `<source>.message` if it has our prefix, a marker; others never",
        "nothing; a drain knows by a marker that all that was committed before it has arrived",
    ),
    Event(
        "heartbeat",
        "in topic `__debezium-heartbeat.<source>`, which is not read",
        "nothing; it lets an idle slot release the log",
        bronze="nothing",
    ),
    Event(
        "transaction topic event",
        "BEGIN and END in topic `<source>.transaction`, which is not read",
        "nothing",
        bronze="nothing",
    ),
    Event(
        "message with schema",
        "`{schema, payload}`, if somebody set `schemas.enable`",
        "as the payload alone",
    ),
    Event(
        "message that can't be read",
        "no JSON, an unknown `op`, no epoch, a value that does not fit its type",
        "nothing; it is in quarantine with the reason, the others go on",
    ),
)

STREAM = (
    Event(
        "event sent twice",
        "the same event at a later offset, with the same position",
        "the second is ignored; without a key it counts twice, which exactly-once Connect prevents",
        bronze="keeps both messages",
    ),
    Event(
        "several stream partitions per table",
        "changes of one table in no common order",
        "merged only up to the last drained marker",
    ),
    Event(
        "change of the number of stream partitions",
        "changes of one key in two of them",
        "merged only up to the last drained marker, too",
    ),
    Event(
        "recreated topic",
        "a topic of the same name with another id",
        "nothing until `source remove` and `source register` have begun a new epoch",
        bronze="the drain stops with `PositionLost`",
    ),
    Event(
        "position below the stream's earliest",
        "messages that were removed before they were read",
        "as of a recreated topic",
        bronze="the drain stops with `PositionLost`",
    ),
)

EVENTS = {
    "Changes of rows": CHANGES,
    "Keys": KEYS,
    "Tables": TABLES,
    "Snapshots": SNAPSHOTS,
    "Other messages": MESSAGES,
    "The stream itself": STREAM,
}
"""All events, by heading."""

OPERATIONS = tuple(event.op for event in CHANGES if event.op is not None)
"""What an event in a table's topic can be; any other is rejected."""
