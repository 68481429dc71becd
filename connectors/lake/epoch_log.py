"""Slot epochs: the lifetimes of a source's replication slot, in an append-only table of the lake."""

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from operator import itemgetter

import pyarrow as pa
from deltalake import DeltaTable

from connectors.errors import ConfigurationError
from connectors.lake.commits import append_numbered, optimistically
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import ensure_table, open_table, read_rows
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import ServerIdentity

_EPOCHS = pa.schema(
    [
        pa.field("epoch", pa.int64(), nullable=False),
        pa.field("slot", pa.string(), nullable=False),
        pa.field("system_identifier", pa.string(), nullable=False),
        pa.field("timeline", pa.int64(), nullable=False),
        pa.field("placeholder", pa.string(), nullable=False),
        pa.field("tables", pa.list_(pa.string()), nullable=False),
        pa.field("recorded_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


@dataclass(frozen=True)
class SlotEpoch:
    """One lifetime of the replication slot; positions of two slot epochs do not compare.

    Attributes:
        epoch: Number of the slot epoch, from 1.
        slot: Name of the slot.
        system_identifier: The server's, from `initdb`.
        timeline: The server's; a failover or a restore begins a new one.
        placeholder: Stands for unchanged TOAST values; the same in all slot epochs.
        tables: The tables that the snapshot at its beginning reads.
    """

    epoch: int
    slot: str
    system_identifier: str
    timeline: int
    placeholder: str
    tables: tuple[TableName, ...]

    def covers(self, slot: str, identity: ServerIdentity) -> bool:
        """Whether it is the slot epoch of this slot on this server and timeline."""
        return (self.slot, self.system_identifier, self.timeline) == (
            slot,
            identity.system_identifier,
            identity.timeline,
        )


def current_slot_epoch(layout: LakeLayout) -> SlotEpoch | None:
    """The newest slot epoch; None before the first registration."""
    table = open_table(layout.epochs)
    return None if table is None else _newest_epoch(table)


def registered_slot_epoch(layout: LakeLayout) -> SlotEpoch:
    """The newest slot epoch.

    Raises:
        ConfigurationError: The source is not registered.
    """
    slot_epoch = current_slot_epoch(layout)
    if slot_epoch is None:
        raise not_registered(layout)
    return slot_epoch


def current_epoch(layout: LakeLayout) -> int | None:
    """Number of the newest slot epoch; None before the first registration."""
    slot_epoch = current_slot_epoch(layout)
    return None if slot_epoch is None else slot_epoch.epoch


def ensure_epoch(
    layout: LakeLayout, *, slot: str, slot_exists: bool, identity: ServerIdentity, tables: Iterable[TableName]
) -> SlotEpoch:
    """Returns the current slot epoch; records a new one if the slot is not the one that is known.

    Args:
        layout: The lake.
        slot: Name of the slot.
        slot_exists: Whether the server has it. A missing one is created next, and begins a new slot epoch.
        identity: The server the slot is on.
        tables: The tables that are to be captured.

    Raises:
        CommitConflict: Other writers kept committing first.
    """
    before, captured = current_slot_epoch(layout), tuple(tables)

    def attempt() -> SlotEpoch:
        table = ensure_table(layout.epochs, _EPOCHS)
        last = _newest_epoch(table)
        slot_epoch = SlotEpoch(
            epoch=1 if last is None else last.epoch + 1,
            slot=slot,
            system_identifier=identity.system_identifier,
            timeline=identity.timeline,
            placeholder=_new_placeholder() if last is None else last.placeholder,
            tables=captured,
        )
        # One that was not there before is the one to begin: ours, if the answer was lost, or that of another run.
        is_begun = slot_exists or last != before
        if last is not None and last.covers(slot, identity) and is_begun:
            return last
        row = {
            **asdict(slot_epoch),
            "tables": [str(name) for name in slot_epoch.tables],
            "recorded_at": datetime.now(UTC),
        }
        append_numbered(table, [row], _EPOCHS)
        return slot_epoch

    return optimistically(attempt)


def not_registered(layout: LakeLayout) -> ConfigurationError:
    """The error of a source that this lake does not know."""
    return ConfigurationError(
        f"source {layout.source!r} is not registered in this lake", hint="run `lakehouse source register`"
    )


def _new_placeholder() -> str:
    # Random, so that no value of the source is ever taken for it.
    return f"__lakehouse_unchanged_{secrets.token_hex(16)}"


def _newest_epoch(table: DeltaTable) -> SlotEpoch | None:
    rows = read_rows(table)
    if not rows:
        return None
    newest = max(rows, key=itemgetter("epoch"))
    del newest["recorded_at"]
    return SlotEpoch(**{**newest, "tables": tuple(map(TableName.parse, newest["tables"]))})
