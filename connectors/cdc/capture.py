"""Whether the source's changes still come to the stream; if not, why, and what to do about it."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from connectors.debezium.causes import TOO_LARGE, cause_of
from connectors.debezium.config import connector_name, publication_name, slot_name
from connectors.debezium.connect import ConnectClient, ConnectorStatus, snapshot_done
from connectors.errors import CaptureStopped, ConfigurationError, ServiceUnavailable
from connectors.postgres.catalog import read_contracts
from connectors.postgres.connection import connect
from connectors.postgres.large_rows import find_large_rows
from connectors.postgres.replication import OpenTransaction, SlotState, open_transactions, published_tables, read_slot
from connectors.settings import Settings

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
        progress: Differs from that of an earlier look if anything moved.
        confirmed_lsn: What was committed before it is in the stream; None: it is not known.
        stopped: Why no change arrives, and none will by itself; None: it runs, or gets on.
    """

    says: str
    progress: tuple[object, ...] = ()
    confirmed_lsn: int | None = None
    stopped: CaptureStopped | None = None


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
        if found.says != self.seen.says:
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
    with ConnectClient(settings.connect.url, patience=_PATIENCE_SECONDS) as client:
        try:
            status, config = client.status(name), client.config(name)
            offset = None if status is None else client.offset(name)
        except ServiceUnavailable as error:
            return _stopped("Kafka Connect does not answer", error.message, "start it, the local one by `lakehouse up`")
    broken = _broken(settings, name, status)
    if broken is not None:
        return broken
    with connect(settings.postgres) as connection:
        slot = read_slot(connection, slot_name(settings.cdc.source))
        open_ones = open_transactions(connection)
    begun = snapshot_done(offset)
    if slot is None and begun:
        return _stopped("its replication slot is gone", name, _ANEW)
    if slot is not None and slot.wal_status == "lost":
        return _stopped("the log that its replication slot needs is gone from the server", name, _ANEW)
    if slot is not None and begun and (slot.inactive_seconds or 0) > _INACTIVE_SECONDS:
        return _locked_out(settings, name, slot, config or {})
    confirmed = None if slot is None else slot.confirmed_lsn
    progress = (confirmed, sorted((offset or {}).items()))
    return Capture(_work(slot, open_ones, begun=begun), progress=progress, confirmed_lsn=confirmed)


def _broken(settings: Settings, name: str, status: ConnectorStatus | None) -> Capture | None:
    if status is None:
        return _stopped("its connector is not there", name, _RESUME)
    if status.failure is not None:
        cause = cause_of(status.failure)
        which = _too_large(settings) if cause.what == TOO_LARGE else ""
        return _stopped(f"{cause.what}{which}", f"{name}: {cause.said}", cause.fix)
    if status.state in ("PAUSED", "STOPPED"):
        return _stopped(f"its connector is {status.state.lower()}", name, _RESUME)
    return None


def _too_large(settings: Settings) -> str:
    """Which rows do not fit into a message."""
    limit = settings.cdc.message_bytes
    with connect(settings.postgres) as connection:
        tables = published_tables(connection, publication_name(settings.cdc.source)) or ()
        found = find_large_rows(connection, read_contracts(connection, tables), over=limit, seconds=_ROWS_SECONDS)
    rows = ", ".join(f"{row.table} with {row.key} (some {row.size / 2**20:.1f} MiB)" for row in found.rows)
    if rows:
        return f": {rows}"
    if found.unread:
        return f"; looking for it takes more than {_ROWS_SECONDS} s"
    return "; no row is that large any more, but an earlier change of one is still to be read"


def _locked_out(settings: Settings, name: str, slot: SlotState, config: Mapping[str, str]) -> Capture:
    """A connector that says it runs, and reads nothing: it tries again and again, and tells its log alone why."""
    own = settings.postgres.model_copy(
        update={
            "user": config.get("database.user", settings.postgres.user),
            "password": SecretStr(config.get("database.password", "")),
        }
    )
    minutes = round((slot.inactive_seconds or 0) / 60)
    try:
        with connect(own):
            pass
    except ConfigurationError:
        return _stopped(
            "the database refuses the connector's log-in",
            f"{name} says it runs, and has read nothing for {minutes} min",
            f"set LAKEHOUSE_POSTGRES__USER and __PASSWORD to what holds now, then {_RESUME}",
        )
    return _stopped(
        f"its connector says it runs, and has read nothing for {minutes} min",
        name,
        f"look at the log of Kafka Connect; when the cause is gone, {_RESUME}",
    )


def _work(slot: SlotState | None, open_ones: Sequence[OpenTransaction], *, begun: bool) -> str:
    if slot is None and open_ones:
        first = open_ones[0]
        return f"{first}, open for {_span(first.seconds)}, blocks the making of its replication slot"
    if not begun:
        return "its first snapshot is being taken"
    if slot is not None and not slot.active:
        return f"its connector has not read for {_span(slot.inactive_seconds or 0)}"
    return "its connector runs"


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _stopped(what: str, where: str, fix: str) -> Capture:
    error = CaptureStopped(f"capture has stopped: {what} ({where})", hint=fix)
    return Capture(what, stopped=error)
