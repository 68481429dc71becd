"""Every kind of event: how it arrives, and what bronze and silver do with it.

Debezium's operations are known from here; `docs/events.md` is written from here; a test proves every row.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One kind of event at the source or in the stream.

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
        "the row is kept with its last values and marked `_cdc_deleted`; readers' views hide it",
        op="d",
    ),
    Event(
        "snapshot row",
        "`op` r, the row in `after`; first of all, while the source is being registered",
        "as an insert older than everything not yet committed when it was read",
        op="r",
    ),
    Event(
        "truncate",
        "`op` t, no key, no row",
        "a low watermark: every row below it is soft-deleted with `_cdc_op` t, and nothing older is merged; "
        "without a primary key, the weights of the rows are reversed",
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
        "a soft-deleted row with that key, so that no older change resurrects it",
    ),
    Event(
        "rows of one COPY",
        "`op` c, all with one LSN",
        "as inserts; without a primary key by stream offset",
    ),
    Event("rolled-back change", "never", "nothing", bronze="nothing"),
    Event(
        "overlapping transactions",
        "transaction by transaction in commit order, so that LSNs go backwards",
        "the change committed last wins, not the one written last",
    ),
)

KEYS = (
    Event("key of several columns", "a key of several fields", "one row per combination"),
    Event("key of a type other than integer", "as JSON has it: text, a number, base64", "compared as the typed value"),
    Event(
        "primary-key change",
        "d of the old key, tombstone, c of the new key, at one LSN",
        "the old row is soft-deleted, the row is there under its new key",
    ),
    Event(
        "key change with an unchanged TOAST value",
        "the same; the c lacks the value and names the old key in a header",
        "the value is that of the old key at that position",
    ),
    Event(
        "key change A→B→A in one transaction",
        "d A, c B, d B, c A",
        "the row is there under A with its values, B is soft-deleted",
    ),
    Event(
        "key change onto an equal numeric key",
        "1.0 becomes 1.00: d and c at one LSN",
        "the d goes first; an undeclared numeric is text, so 1.0 is soft-deleted; 0 and -0 of a float are one row",
    ),
    Event(
        "primary-key change cut in two",
        "d of the old key; Debezium was started again, and sends the c of the new key no more",
        "only the source knows the row: the table is resynced, or paused if it is too large for that; not noticed in "
        "topics of several partitions, but by `lakehouse reconcile`",
        bronze="keeps the message, and that half is missing",
    ),
    Event(
        "deferrable primary key",
        "two rows have the same key for a while: c before d",
        "as a table without a primary key, because the key identifies no row within a transaction",
    ),
)

TABLES = (
    Event(
        "change of a table without a primary key",
        "no key; the whole old row in `before`, because `source register` requires replica identity FULL",
        "a history: each image of a row with weight 1 when it appears and -1 when it goes; the view sums the weights",
    ),
    Event("replica identity default", "`before` of a delete holds the key alone", "a deleted row keeps its values"),
    Event("replica identity full", "`before` and `after` are complete", "there are no unchanged TOAST values"),
    Event("replica identity using index", "the index's columns are the message's key", "they are the key"),
    Event(
        "partitioned table",
        "under the name of the parent; a row that moves to another partition is d and c",
        "one table; TRUNCATE, ATTACH, DETACH and DROP of a single partition do not arrive: `source check` warns",
    ),
    Event(
        "generated column",
        "a stored one like any column (before PostgreSQL 18 not at all), a virtual one never",
        "a column like any other, or none",
    ),
)

SNAPSHOTS = (
    Event(
        "incremental-snapshot row",
        "`op` r without an LSN, between changes",
        "restores what was lost; never replaces a change committed after it was read",
    ),
    Event(
        "blocking re-snapshot while transactions are open",
        "`op` r of the rows as they were before those transactions, then their changes with smaller LSNs",
        "the changes win, because a snapshot row is older than everything committed after it",
    ),
    Event(
        "table resynced",
        "`op` r with the header `lakehouse.after`: the marker behind which it was read",
        "replaces what was committed before that marker; what was committed after it wins",
    ),
    Event(
        "snapshot restarted",
        "`op` r of an interrupted snapshot, then `op` r of all rows with a greater LSN",
        "the later one wins; rows that only the first one saw are soft-deleted; of a table that the "
        "later one found empty, when a drain meets the first marker",
    ),
    Event(
        "new slot epoch",
        "a greater number in the header `lakehouse.epoch`, then `op` r of all rows: the slot was recreated",
        "wins over everything before, whatever the LSNs; rows that the new snapshot did not see are soft-deleted",
    ),
)

MESSAGES = (
    Event("tombstone", "no value, after a delete", "nothing"),
    Event(
        "logical message",
        "`op` m in topic `<source>.message` if it has our prefix, a marker; others never",
        "nothing; a marker shows a drain that everything committed before it has arrived",
    ),
    Event(
        "heartbeat",
        "in topic `__debezium-heartbeat.<source>`, which is not read",
        "nothing; it lets an idle slot release WAL",
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
        "unreadable message",
        "no JSON, an unknown `op`, no epoch, a value that does not fit its type",
        "nothing; it goes to quarantine with the reason",
    ),
)

STREAM = (
    Event(
        "event sent twice",
        "the same event at a later offset, with the same position",
        "the second is ignored; without a primary key it counts twice, which exactly-once Connect prevents",
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
        "nothing until `source remove` and `source register` begin a new slot epoch",
        bronze="the drain stops with `PositionLost`",
    ),
    Event(
        "position below the stream's earliest",
        "messages that expired before they were read",
        "as for a recreated topic",
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
