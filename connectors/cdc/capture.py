"""Whether the source's changes still come to the stream; if not, why, and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from connectors.debezium.causes import cause_of
from connectors.debezium.config import connector_name, slot_name
from connectors.debezium.connect import ConnectClient, ConnectorStatus, snapshot_done
from connectors.errors import CaptureStopped, ConfigurationError, ServiceUnavailable
from connectors.postgres.connection import connect
from connectors.postgres.replication import OpenTransaction, SlotState, open_transactions, read_slot
from connectors.settings import Settings

_RESUME = "run `lakehouse source register`, which starts it"
_ANEW = "run `lakehouse source remove --yes`, then `lakehouse source register`: it snapshots all tables"
_PATIENCE_SECONDS = 3
# Longer than a connector takes to come back after the database or the broker was away.
_INACTIVE_SECONDS = 60


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
    broken = _broken(name, status)
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


def _broken(name: str, status: ConnectorStatus | None) -> Capture | None:
    if status is None:
        return _stopped("its connector is not there", name, _RESUME)
    if status.failure is not None:
        cause = cause_of(status.failure)
        return _stopped(cause.what, f"{name}: {cause.said}", cause.fix)
    if status.state in ("PAUSED", "STOPPED"):
        return _stopped(f"its connector is {status.state.lower()}", name, _RESUME)
    return None


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
