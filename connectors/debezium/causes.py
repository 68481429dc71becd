"""What a connector's failure means, in words and with a way out: its Java trace says neither."""

import re
from dataclasses import dataclass
from textwrap import shorten

_REGISTER = "run `lakehouse source register`, which restarts the connector"
_ANEW = "run `lakehouse source remove --yes`, then `lakehouse source register`: it snapshots all tables"

TOO_LARGE = "a row is larger than a message may be"
"""A cause that others add to: which row it is."""

# The first that fits counts: what is behind a failure stands before what it looks like.
_CAUSES = (
    (
        "password authentication failed|no password was provided|empty password|not permitted to log in",
        "the database refuses the connector's log-in",
        f"set LAKEHOUSE_POSTGRES__USER and __PASSWORD to what holds now, then {_REGISTER}",
    ),
    (
        "no pg_hba.conf entry",
        "the database takes no connections from where Kafka Connect runs",
        f"allow its user, database and address in the server's pg_hba.conf, then {_REGISTER}",
    ),
    (
        "requested WAL segment .* has already been removed|can no longer (get changes|access) .*slot|invalidated"
        "|trying to read change stream starting at .* no longer available",
        "its replication slot, or the log that the slot needs, is gone from the server",
        _ANEW,
    ),
    ("replication slot .* does not exist", "its replication slot is gone", _ANEW),
    (
        "replication slot .* is active",
        "another reader holds its replication slot",
        "end that one, whose process is `active_pid` in pg_replication_slots, then " + _REGISTER,
    ),
    ("publication .* does not exist|Publication autocreation is disabled", "its publication is gone", _REGISTER),
    (
        "all replication slots are in use|number of requested standby connections exceeds|max_wal_senders",
        "the server has no replication slot or WAL sender left",
        f"raise max_replication_slots and max_wal_senders, restart the server, then {_REGISTER}",
    ),
    (
        "must be superuser|permission denied|must have the REPLICATION",
        "the connector's user lacks a right",
        f"`lakehouse source check` names it, with the SQL that grants it; then {_REGISTER}",
    ),
    ("database .* does not exist", "the database is gone, or was renamed", f"check its name, then {_REGISTER}"),
    (
        "RecordTooLarge|larger than the maximum request size|MESSAGE_TOO_LARGE",
        TOO_LARGE,
        f"set LAKEHOUSE_CDC__MESSAGE_BYTES to more than that, then {_REGISTER}",
    ),
    (
        "OutOfMemoryError|Java heap space",
        "Kafka Connect ran out of memory",
        f"give its Java more heap, restart it, then {_REGISTER}",
    ),
    (
        "UnknownHost|refused|timed out|No route to host|Connection reset|terminating connection|the database system is",
        "it can't reach the database",
        f"check that the database runs and that Kafka Connect can reach it, then {_REGISTER}",
    ),
    (
        "NullPointerException|IllegalStateException|ClassCastException",
        "Debezium met something that it can't read",
        "`lakehouse source check` may name it; leave the table out, then run `lakehouse source register`",
    ),
)
_LONGEST = 300
_CLASS = re.compile(r"\b(?:[a-z]\w*\.)+[A-Z]\w*(?:Exception|Error): ")


@dataclass(frozen=True)
class Cause:
    """Why a connector failed.

    Attributes:
        what: In words.
        fix: What to do about it.
        said: What the connector says, without the names of Java classes, shortened.
    """

    what: str
    fix: str
    said: str


def cause_of(failure: str) -> Cause:
    """Returns what a failure of a connector means, as `ConnectorStatus.failure` has it."""
    _, _, inner = failure.partition("(caused by: ")
    said = shorten(_CLASS.sub("", inner.removesuffix(")") or failure), _LONGEST, placeholder=" ...")
    for sign, what, fix in _CAUSES:
        if re.search(sign, failure, re.IGNORECASE):
            return Cause(what, fix, said)
    return Cause("it gave up", f"look at the log of Kafka Connect; when the cause is gone, {_REGISTER}", said)
