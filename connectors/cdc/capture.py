"""Whether the source's changes still come to the stream; if not, why, and what to do about it."""

import logging
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from pydantic import SecretStr

from connectors.debezium.causes import TOO_LARGE, cause_of
from connectors.debezium.config import connector_name, marker_topic, publication_name, slot_name
from connectors.debezium.connect import ConnectClient, ConnectorStatus, snapshot_done
from connectors.errors import CaptureStopped, ConfigurationError, ServiceUnavailable
from connectors.postgres.catalog import read_contracts
from connectors.postgres.connection import Connection, connect
from connectors.postgres.large_rows import find_large_rows
from connectors.postgres.replication import (
    SlotState,
    estimate_rows,
    open_transactions,
    published_tables,
    read_slot,
)
from connectors.settings import Settings
from connectors.streams import open_stream

_RESUME = "run `lakehouse source register`, which starts it"
_ANEW = "run `lakehouse source remove --yes`, then `lakehouse source register`: it snapshots all tables"
_LOOK_SECONDS = 5
_PATIENCE_SECONDS = 3
_ROWS_SECONDS = 3
# Longer than a connector takes to come back after the database or the broker was away.
_INACTIVE_SECONDS = 60

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Capture:
    """What capturing a source is at.

    Attributes:
        says: In words.
        connector: The connector's state; None if it is not registered, or Kafka Connect does not answer.
        snapshot_done: Whether the initial snapshot is in the stream.
        slot: The replication slot's state; None if there is none.
        progress: Differs from that of an earlier look if anything moved.
        stopped: Why no change arrives, and none will by itself; None: it runs, or gets on.
    """

    says: str
    connector: ConnectorStatus | None = None
    snapshot_done: bool = False
    slot: SlotState | None = None
    progress: tuple[object, ...] = ()
    stopped: CaptureStopped | None = None

    @property
    def confirmed_lsn(self) -> int:
        """What was committed before it is in the stream; zero if that is not known."""
        return 0 if self.slot is None else self.slot.confirmed_lsn or 0


class Watch:
    """Looks at capture now and then, while something is waited for, and logs what it sees when that changes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._next = time.monotonic() + _LOOK_SECONDS
        self.seen = Capture("")

    def look(self) -> bool:
        """Returns whether it was time to look; what there was to see is in `seen`."""
        if time.monotonic() < self._next or self._settings.connect.url is None:
            return False
        found = look_at_capture(self._settings)
        if found.says not in ("", self.seen.says):
            _log.info("waiting for changes of %s: %s", self._settings.cdc.source, found.says)
        self.seen = found
        self._next = time.monotonic() + _LOOK_SECONDS
        return True

    def adding(self, message: str) -> str:
        """A message, with what was seen last."""
        return f"{message}: {self.seen.says}" if self.seen.says else message


def find_stop(settings: Settings) -> CaptureStopped | None:
    """Returns why capture has stopped; None if it has not, or if this lake is not told where Kafka Connect is."""
    return None if settings.connect.url is None else look_at_capture(settings).stopped


def look_at_capture(settings: Settings) -> Capture:
    """Looks at the connector and its replication slot.

    Raises:
        ConfigurationError: No Kafka Connect is configured, or the database refuses the log-in.
        ServiceUnavailable: The database does not answer.
    """
    name = connector_name(settings.cdc.source)
    with connect(settings.postgres) as connection:
        slot = read_slot(connection, slot_name(settings.cdc.source))
        with ConnectClient(settings.connect.url, patience=_PATIENCE_SECONDS) as client:
            try:
                status, config, offset = client.status(name), client.config(name) or {}, client.offset(name)
            except ServiceUnavailable as error:
                fix = "start it, the local one by `lakehouse up`"
                return Capture("", slot=slot, stopped=_stopped("Kafka Connect does not answer", error.message, fix))
        done = snapshot_done(offset)
        stopped = (
            _broken(connection, settings, name, status)
            or _slotless(name, slot, begun=done)
            or _locked_out(settings, name, slot if done else None, config)
        )
        says = "" if stopped else _work(connection, settings, slot, begun=done)
    progress = (None if slot is None else slot.confirmed_lsn, sorted((offset or {}).items()), says)
    return Capture(says, connector=status, snapshot_done=done, slot=slot, progress=progress, stopped=stopped)


def _broken(
    connection: Connection, settings: Settings, name: str, status: ConnectorStatus | None
) -> CaptureStopped | None:
    if status is None:
        return _stopped("its connector is not there", name, _RESUME)
    if status.failure is not None:
        cause = cause_of(status.failure)
        which = _too_large(connection, settings) if cause.what == TOO_LARGE else ""
        return _stopped(f"{cause.what}{which}", f"{name}: {cause.said}", cause.fix)
    if status.state in ("PAUSED", "STOPPED"):
        return _stopped(f"its connector is {status.state.lower()}", name, _RESUME)
    return None


def _slotless(name: str, slot: SlotState | None, *, begun: bool) -> CaptureStopped | None:
    if slot is None and begun:
        return _stopped("its replication slot is gone", name, _ANEW)
    if slot is not None and slot.wal_status == "lost":
        return _stopped("the log that its replication slot needs is gone from the server", name, _ANEW)
    return None


def _too_large(connection: Connection, settings: Settings) -> str:
    """Which rows do not fit into a message."""
    limit = settings.cdc.message_bytes
    tables = published_tables(connection, publication_name(settings.cdc.source)) or ()
    found = find_large_rows(connection, read_contracts(connection, tables), over=limit, seconds=_ROWS_SECONDS)
    rows = ", ".join(f"{row.table} with {row.key} (some {row.size / 2**20:.1f} MiB)" for row in found.rows)
    if rows:
        return f": {rows}"
    if found.unread:
        return f"; looking for it takes more than {_ROWS_SECONDS} s"
    return "; no row is that large any more, but an earlier change of one is still to be read"


def _locked_out(
    settings: Settings, name: str, slot: SlotState | None, config: Mapping[str, str]
) -> CaptureStopped | None:
    """A connector that says it runs, and reads nothing: it tries again and again, and tells its log alone why."""
    if slot is None or slot.active:
        return None
    # Before PostgreSQL 17 nobody knows how long.
    seconds = slot.inactive_seconds or 0.0
    own = settings.postgres.model_copy(
        update={
            "user": config.get("database.user", settings.postgres.user),
            "password": SecretStr(config.get("database.password", "")),
        }
    )
    try:
        with connect(own):
            pass
    except ConfigurationError:
        return _stopped(
            "the database refuses the connector's log-in",
            f"{name} says it runs, and reads nothing",
            f"set LAKEHOUSE_POSTGRES__USER and __PASSWORD to what holds now, then {_RESUME}",
        )
    if seconds <= _INACTIVE_SECONDS:
        return None
    return _stopped(
        f"its connector says it runs, and has read nothing for {_span(seconds)}",
        name,
        f"look at the log of Kafka Connect; when the cause is gone, {_RESUME}",
    )


def _work(connection: Connection, settings: Settings, slot: SlotState | None, *, begun: bool) -> str:
    if begun and slot is not None and not slot.active:
        return f"its connector has not read for {_span(slot.inactive_seconds or 0)}"
    if begun:
        return "its connector runs"
    open_ones = open_transactions(connection)
    # While it is being made, it is there, and has confirmed nothing.
    if (slot is None or slot.confirmed_lsn is None) and open_ones:
        return f"{open_ones[0]}, open for {_span(open_ones[0].seconds)}, blocks the making of its replication slot"
    return f"its first snapshot is being taken{_share(connection, settings)}"


def _share(connection: Connection, settings: Settings) -> str:
    """How much of the first snapshot is in the stream."""
    source = settings.cdc.source
    try:
        with closing(open_stream(settings)) as stream:
            written = stream.written_positions()
    except ServiceUnavailable:
        return "; the stream does not answer now"
    rows = sum(position for p, position in written.items() if p.topic != marker_topic(source))
    expected = estimate_rows(connection, published_tables(connection, publication_name(source)) or ())
    if expected:
        return f": some {min(99, 100 * rows // expected)} % of about {expected:,} rows"
    return f": {_roughly(rows):,} rows so far" if rows else ""


def _roughly(number: int) -> int:
    """Two digits of a number: what is said changes less often than what is."""
    step: int = 10 ** max(0, len(str(number)) - 2)
    return number // step * step


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _stopped(what: str, where: str, fix: str) -> CaptureStopped:
    return CaptureStopped(f"capture has stopped: {what} ({where})", hint=fix)
