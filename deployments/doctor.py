"""Looks at everything that the lake needs, and says what is wrong, worst first, each with its fix."""

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import httpx
import psutil

from connectors.cdc.capture import look_at_capture
from connectors.cdc.resync import open_readers
from connectors.cdc.source_status import check_source
from connectors.debezium.checks import version_findings
from connectors.debezium.connect import ConnectClient
from connectors.errors import ConfigurationError, LakehouseError, ServiceUnavailable
from connectors.lake.bronze import BronzeLog
from connectors.lake.checked import read_checked
from connectors.lake.contract_log import latest_versions
from connectors.lake.layout import LakeLayout
from connectors.lake.quarantine import count_rejected
from connectors.lake.storage import is_remote, remove_file, write_file
from connectors.quality.freshness import read_lag
from connectors.settings import Settings, load_own_settings
from connectors.streams import open_stream
from deployments.stack.stack import LocalStack
from deployments.stack.state import read_state
from tasks.words import counted

Severity = Literal["blocker", "warning"]

_DEADLINE_SECONDS = 4.5
_LITTLE_DISK, _LOW_DISK = 1e9, 5e9
_LITTLE_MEMORY, _LOW_MEMORY = 0.3e9, 1e9
_MUCH_OF_LIMIT = 0.5
_PREFECT_SECONDS = 3


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Attributes:
        severity: A blocker stops something now; a warning will.
        area: Where: `disk`, `database`.
        problem: What is wrong.
        fix: What to do about it.
    """

    severity: Severity
    area: str
    problem: str
    fix: str


@dataclass(frozen=True)
class Check:
    """Something to look at.

    Attributes:
        area: Its name.
        find: Finds what is wrong.
        needs: Services of the local stack without which there is nothing to look at.
    """

    area: str
    find: Callable[[Settings], Iterable[Problem]]
    needs: frozenset[str] = field(default=frozenset())


def examine(settings: Settings) -> list[Problem]:
    """Runs all checks side by side, and gives none more than a few seconds."""
    down = _stopped_services()
    found = list(_stack(down))
    runs = [_Run(check, settings) for check in CHECKS if not check.needs & down.keys()]
    deadline = time.monotonic() + _DEADLINE_SECONDS
    for run in runs:
        found += run.result(deadline)
    # What several checks need is told once.
    told: dict[tuple[str, str], Problem] = {}
    for problem in found:
        told.setdefault((problem.problem, problem.fix), problem)
    return sorted(told.values(), key=lambda problem: problem.severity != "blocker")


class _Run:
    """One check, in a thread that nobody waits for longer than it may take."""

    def __init__(self, check: Check, settings: Settings) -> None:
        self._check = check
        self._found: list[Problem] | None = None
        self._thread = threading.Thread(target=self._work, args=[settings], daemon=True)
        self._thread.start()

    def result(self, deadline: float) -> list[Problem]:
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._found is None:
            fix = "check that it runs, and that it can be reached from here"
            return [Problem("blocker", self._check.area, f"gives no answer within {_DEADLINE_SECONDS:g} s", fix)]
        return self._found

    def _work(self, settings: Settings) -> None:
        try:
            self._found = list(self._check.find(settings))
        except LakehouseError as error:
            self._found = [Problem("blocker", self._check.area, error.message, error.hint or "see above")]
        except Exception as error:  # noqa: BLE001 - what a doctor finds, it tells, and goes on
            text = f"the check itself failed: {type(error).__name__}: {error}"
            self._found = [Problem("blocker", self._check.area, text, "report it, with this text")]


def _stopped_services() -> dict[str, str]:
    """Services of the local stack that do not run, or do not answer, with their state."""
    own = load_own_settings()
    services = [service for service in LocalStack(own.home, own).status() if service.name != "aws"]
    if not read_state(own.home).ports and any(service.state == "external" for service in services):
        return {}  # it was never started, and is not needed
    return {service.name: service.state for service in services if service.state in ("stopped", "not ready")}


def _stack(down: Mapping[str, str]) -> Iterator[Problem]:
    if down:
        named = ", ".join(f"{name} ({state})" for name, state in down.items())
        yield Problem("blocker", "stack", f"does not run: {named}", "run `lakehouse up --detach`; `lakehouse logs` why")


def _disk(settings: Settings) -> Iterator[Problem]:
    places = {"state folder": settings.home}
    if not is_remote(settings.lake.root):
        places["lake"] = Path(settings.lake.root)
    seen: set[int] = set()
    for name, folder in places.items():
        there = next(path for path in (folder, *folder.parents) if path.exists())
        device, free = there.stat().st_dev, shutil.disk_usage(there).free
        if device not in seen and free < _LOW_DISK:
            severity: Severity = "blocker" if free < _LITTLE_DISK else "warning"
            fix = "free some; `lakehouse maintain` deletes what the lake needs no more"
            yield Problem(severity, "disk", f"{free / 1e9:.1f} GB are left where the {name} is, {folder}", fix)
        seen.add(device)


def _memory(_settings: Settings) -> Iterator[Problem]:
    free = psutil.virtual_memory().available
    if free < _LOW_MEMORY:
        severity: Severity = "blocker" if free < _LITTLE_MEMORY else "warning"
        yield Problem(
            severity, "memory", f"{free / 1e6:.0f} MB are left", "end something else, or take a larger machine"
        )


def _database(settings: Settings) -> Iterator[Problem]:
    for finding in check_source(settings):
        if finding.severity == "blocker":
            yield Problem("blocker", "database", f"{finding.subject} {finding.problem}", finding.fix)
    lag = read_lag(settings)
    kept, limit = lag.retained_bytes or 0, lag.limit_bytes
    if limit is not None and kept > _MUCH_OF_LIMIT * limit:
        fix = "drain, or raise max_slot_wal_keep_size: beyond it the slot is lost, and all tables are to be read again"
        text = f"{kept / 1e9:.1f} GB of log are kept for this source, of {limit / 1e9:.1f} GB at the most"
        yield Problem("warning", "database", text, fix)


def _capture(settings: Settings) -> Iterator[Problem]:
    if not _captured(settings):
        yield Problem("warning", "capture", "no source is registered in this lake", "run `lakehouse source register`")
        return
    stopped = look_at_capture(settings).stopped
    if stopped is not None:
        yield Problem("blocker", "capture", stopped.message, stopped.hint or "see `lakehouse source status`")
        return
    with ConnectClient(settings.connect.url) as client:
        outdated = version_findings(client.debezium())
    yield from (Problem("warning", "capture", f"{f.subject} {f.problem}", f.fix) for f in outdated)
    for reader in open_readers(settings):
        fix = "if no `resync` or `register` runs now, one was killed: run it again, which ends this one, too"
        yield Problem("warning", "capture", f"a connector reads a table anew, or has read it: {reader}", fix)


def _stream(settings: Settings) -> Iterable[Problem]:
    """What is wrong here is raised: the broker does not answer, or a position is lost."""
    with closing(open_stream(settings)) as stream:
        ends = stream.end_positions()
    if _captured(settings):
        BronzeLog(LakeLayout.of(settings)).positions(ends)
    return ()


def _lake(settings: Settings) -> Iterator[Problem]:
    layout = LakeLayout.of(settings)
    probe = f"{layout.root}/bronze/{layout.source}/doctor"
    write_file(probe, b"")
    remove_file(probe)
    if not _captured(settings):
        return
    checked = read_checked(layout)
    for table in sorted(checked.paused) if checked else ():
        yield Problem(
            "blocker", "lake", f"{table} is paused", "`lakehouse drain` says why, and which command resumes it"
        )
    rejected = count_rejected(layout)
    if rejected:
        counts = ", ".join(f"{count:,} of {table}" for table, count in sorted(rejected.items()))
        fix = "`lakehouse quarantine show TABLE` says why; `lakehouse quarantine replay TABLE` tries again"
        yield Problem("warning", "lake", f"messages are in quarantine: {counts}", fix)


def _prefect(settings: Settings) -> Iterator[Problem]:
    api = settings.prefect.api_url
    if api is None:
        raise ConfigurationError("no Prefect server is configured", hint="run `lakehouse up`")
    now = datetime.now(UTC)
    pools = _ask(f"{api}/work_pools/filter", {})
    for pool in pools:
        if pool["status"] == "NOT_READY" and not pool["is_paused"]:
            fix = f"start one: `prefect worker start --pool {pool['name']}`, locally `lakehouse up --detach`"
            yield Problem("blocker", "workers", f"the work pool {pool['name']} has no live worker", fix)
    deployments = _ask(f"{api}/deployments/filter", {})
    if not any(schedule["active"] for found in deployments for schedule in found["schedules"]):
        fix = "run `lakehouse deploy --pool local --schedules on`, or turn some on in the Prefect UI"
        yield Problem("warning", "schedules", "no schedule is on: nothing runs by itself", fix)
    late = {"state": {"name": {"any_": ["Late"]}}}
    waiting = _ask(f"{api}/flow_runs/filter", {"flow_runs": late, "limit": 200})
    if waiting:
        oldest = min(datetime.fromisoformat(run["expected_start_time"]) for run in waiting)
        minutes = (now - oldest).total_seconds() / 60
        text = f"{counted(len(waiting), 'run')} should have started, the oldest {minutes:.0f} min ago"
        yield Problem("blocker", "workers", text, "start a worker, or cancel them in the Prefect UI")
    yield from _last_runs(api)


def _last_runs(api: str) -> Iterator[Problem]:
    """The newest run of each flow, where it failed."""
    ended = {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}
    runs = _ask(f"{api}/flow_runs/filter", {"flow_runs": ended, "sort": "END_TIME_DESC", "limit": 200})
    names = {flow["id"]: flow["name"] for flow in _ask(f"{api}/flows/filter", {})}
    newest: dict[str, dict[str, Any]] = {}
    for run in runs:
        newest.setdefault(names.get(run["flow_id"], "?"), run)
    for flow, run in sorted(newest.items()):
        if run["state_type"] != "COMPLETED":
            said = (run["state"].get("message") or "without a message").partition("\n")[0]
            fix = f"look at the run {run['name']!r} in the Prefect UI; when the cause is gone, run it again"
            yield Problem("warning", "flows", f"the last {flow} is {run['state_type']}: {said}", fix)


def _ask(url: str, content: Mapping[str, Any]) -> Any:
    try:
        answer = httpx.post(url, json=content, timeout=_PREFECT_SECONDS)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ServiceUnavailable(
            f"the Prefect server does not answer: {error}", hint="check LAKEHOUSE_PREFECT__API_URL, and that it runs"
        ) from error
    return answer.json()


def _captured(settings: Settings) -> bool:
    return any(version.contract.captured for version in latest_versions(LakeLayout.of(settings)).values())


CHECKS = (
    Check("disk", _disk),
    Check("memory", _memory),
    Check("database", _database, frozenset({"postgres"})),
    Check("capture", _capture, frozenset({"postgres", "connect"})),
    Check("stream", _stream, frozenset({"kafka"})),
    Check("lake", _lake),
    Check("Prefect", _prefect, frozenset({"prefect"})),
)
"""All checks, in the order in which one thing needs another."""
