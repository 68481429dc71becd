"""A month of drains by the minute on one table, time-lapsed: what becomes of its files, its log, and its readers.

No stack: messages go to bronze as Debezium writes them, and the clock is simulated. At the end of each day the files of
the logs are made a day older, and what was replaced that day is vacuumed. Prints a line per day, and draws `--plot`.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from silver_hour import CONTRACT, TABLE, append, events, read, settings_of

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.maintenance import maintain_table
from connectors.cdc.merge import merge_table
from connectors.lake.bronze import BronzeLog
from connectors.lake.checked import Checked, record_checked
from connectors.lake.contract_log import record_contracts
from connectors.lake.epoch_log import ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.maintenance.cleaning import vacuum
from connectors.postgres.replication import ServerIdentity
from connectors.settings import Settings

ROWS = 10_000
UPDATES = 20
DAY = 24 * 60
MERGE_MINUTES = 30
HOUR = 60


@dataclass(frozen=True)
class State:
    """What a day ends with.

    Attributes:
        day: Which one.
        files: Data files of bronze and silver in the folder, live or not.
        megabytes: All that the lake takes.
        log: Entries in the logs of bronze and silver.
        open_ms: What opening bronze takes.
        query_ms: What a query with a pending change takes, with all it has to open.
        drain_ms: What a commit to bronze takes.
    """

    day: int
    files: int
    megabytes: float
    log: int
    open_ms: float
    query_ms: float
    drain_ms: float


def main() -> None:
    """Lives through the days, with and without maintenance."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=30, help="with maintenance")
    parser.add_argument("--days-without", type=int, default=3, help="without")
    parser.add_argument("--plot", type=Path, help="where to write an SVG")
    options = parser.parse_args()
    found: dict[str, list[State]] = {}
    names = [field.name for field in fields(State)]
    for way, days in (("maintained", options.days), ("left alone", options.days_without)):
        print(f"{way}:", *(f"{name:>10}" for name in names))
        found[way] = []
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for state in live(settings_of(Path(folder), merge_seconds=60 * MERGE_MINUTES), days, way == "maintained"):
                found[way].append(state)
                print(" " * len(way), *(f"{getattr(state, name):>10,.0f}" for name in names), flush=True)
    if options.plot:
        options.plot.write_text(drawing(found))


def live(settings: Settings, days: int, maintained: bool) -> Iterator[State]:
    """Lives through so many days."""
    layout, rng = LakeLayout.of(settings), random.Random(7)
    record_contracts(layout, [CONTRACT], 0)
    identity = ServerIdentity(system_identifier="1", timeline=1)
    ensure_epoch(layout, slot="s", slot_exists=True, identity=identity, tables=[TABLE])
    bronze = BronzeLog(layout)
    append(bronze, 0, events(range(ROWS), op="r", lsn=1))
    for day in range(1, days + 1):
        spent = 0.0
        for minute in range((day - 1) * DAY + 1, day * DAY + 1):
            changes = events(rng.sample(range(ROWS), UPDATES), op="u", lsn=100 + minute)
            if maintained and minute % HOUR == 0:
                bronze.reload()  # each run of a drain opens it; this one stands for many
            began = time.monotonic()
            append(bronze, ROWS + minute * UPDATES, changes)
            spent += time.monotonic() - began
            if minute % MERGE_MINUTES == 0:
                merge_table(settings, TABLE, checked=ContractCheck(bronze.batch))
            if maintained and minute % HOUR == HOUR // 2:
                for table in ("bronze", str(TABLE)):
                    maintain_table(settings, table, dry_run=False)
                bronze.reload()
        append(bronze, ROWS + day * DAY * UPDATES * 1000, events([0], op="u", lsn=101 + day * DAY))
        yield look(settings, day, drain_ms=1000 * spent / DAY)
        age(layout)
        if maintained:
            for uri in (layout.bronze, layout.silver(TABLE)):
                vacuum(uri, hours=0, dry_run=False)
        bronze.reload()


def age(layout: LakeLayout) -> None:
    """Makes the logs a day older."""
    for uri in (layout.bronze, layout.silver(TABLE)):
        for path in (Path(uri) / "_delta_log").iterdir():
            found = path.stat().st_mtime - 24 * 3600
            os.utime(path, (found, found))


def look(settings: Settings, day: int, *, drain_ms: float) -> State:
    """Looks at the lake."""
    layout, root = LakeLayout.of(settings), Path(settings.lake.root)
    tables = [Path(layout.bronze), Path(layout.silver(TABLE))]
    record_checked(layout, Checked(BronzeLog(layout).batch))
    began = time.monotonic()
    BronzeLog(layout).files()
    opened = time.monotonic() - began
    took = min(read(settings, rows=ROWS)[0] for _ in range(3))
    return State(
        day,
        files=sum(1 for table in tables for _ in table.rglob("*.parquet") if "_delta_log" not in _.parts),
        megabytes=sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) / 1e6,
        log=sum(1 for table in tables for _ in (table / "_delta_log").iterdir()),
        open_ms=1000 * opened,
        query_ms=1000 * took,
        drain_ms=drain_ms,
    )


def drawing(found: dict[str, list[State]]) -> str:
    """Draws a curve per figure and way, each figure on a scale of its own."""
    width, height, gap = 220, 110, 45
    parts = []
    for number, field in enumerate(fields(State)[1:]):
        left, top = (number % 3) * (width + gap) + gap, (number // 3) * (height + 2 * gap) + gap
        states = [state for way in found.values() for state in way]
        most = max(getattr(state, field.name) for state in states) or 1
        days = max(state.day for state in states)
        parts.append(f'<text x="{left}" y="{top - 12}">{field.name.replace("_", " ")}, up to {most:,.0f}</text>')
        parts.append(f'<path d="M{left} {top}v{height}h{width}" stroke="#999"/>')
        for way, colour in zip(found, ("#0a7", "#c33"), strict=True):
            points = (
                f"{left + width * s.day / days:.1f},{top + height * (1 - getattr(s, field.name) / most):.1f}"
                for s in found[way]
            )
            parts.append(f'<polyline points="{" ".join(points)}" stroke="{colour}" stroke-width="2"/>')
    bottom = 2 * (height + 2 * gap) + 10
    for number, (way, colour) in enumerate(zip(found, ("#0a7", "#c33"), strict=True)):
        said = f"{way}, {len(found[way])} days"
        parts.append(f'<text x="{gap + 160 * number}" y="{bottom}" fill="{colour}">{said}</text>')
    size = f'width="{3 * (width + gap) + gap}" height="{bottom + 20}"'
    style = 'font-family="sans-serif" font-size="12" fill="none"'
    texts = "\n".join(part.replace("<text ", '<text fill="#333" ') if 'fill="#' not in part else part for part in parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{texts}\n</svg>\n'


if __name__ == "__main__":
    main()
