"""A source and a lake that follows it: what faults happen to."""

import time
from contextlib import closing, contextmanager
from itertools import count
from threading import Event

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import write_deltalake

from connectors.lake.contract_log import latest_contracts
from connectors.lake.layout import LakeLayout
from connectors.lake.storage import open_table, storage_options
from connectors.postgres.patterns import select
from tests.crash.audit import Audit, Verdict
from tests.crash.drains import Drain
from tests.crash.source import BULK, Source
from tests.lake import open_lake
from tests.services import fresh_database, fresh_settings

_SMALL = {"batch_messages": 25, "slice_rows": 40}
_MIDDLING = {"batch_messages": 500, "slice_rows": 500}
"""So that there is a second micro-batch, and a second slice, for something to happen in."""

_ATTEMPTS = 20
_PAUSE_SECONDS = 0.5


class World:
    """One lake that follows a source.

    Args:
        source: The source.
        root: The lake's root: a folder, or `s3://…`.
        environment: Variables of every drain's process, above the usual ones.

    Attributes:
        disk: A small file system that faults may fill; None: there is none.
        settings: The source's settings, with this lake.
        seconds: What the last clean drain took; moments for something to happen are chosen within.
        whole: The last audit found nothing wrong, and nothing happened since.
    """

    def __init__(self, source, root, *, environment=None, cdc=None):
        lake = source.settings.lake.model_copy(update={"root": root})
        self.source = source
        self.settings = source.settings.model_copy(update={"lake": lake})
        self.disk = None
        self.seconds = 1.0
        self.whole = True
        self._environment = environment or {}
        self._cdc = cdc or _SMALL
        self._audit = Audit(self.settings)
        self._audited = {}
        self._others = []
        self._other_roots = count(1)

    @property
    def services(self):
        """PostgreSQL, Kafka and Kafka Connect."""
        return self.source.services

    def elsewhere(self, root=None, *, environment=None):
        """Returns the same source with another lake, empty but for the contracts of what changed since the last audit.

        Its first drain begins with the first message that the stream holds. It is drained and audited with this one
        the next time, and then forgotten.
        """
        root = root or f"{self.settings.lake.root}-{next(self._other_roots)}"
        other = World(self.source, root, environment=environment or self._environment, cdc=_MIDDLING)
        ours, theirs = (LakeLayout.of(w.settings) for w in (self, other))
        contracts = open_table(ours.contracts).to_pyarrow_table()
        changed = {str(table) for table in select(self._changed(), latest_contracts(ours))}
        wanted = contracts.filter(pc.is_in(contracts["table"], pa.array(changed, pa.string())))
        # Batches are numbered by each lake: what our bronze had before a table was resynced says nothing of theirs.
        number = wanted.schema.get_field_index("begin_batch")
        wanted = wanted.set_column(number, wanted.field(number), pa.array([0] * len(wanted), pa.int64()))
        write_deltalake(theirs.contracts, wanted, storage_options=storage_options(root))
        epochs = open_table(ours.epochs).to_pyarrow_table()
        write_deltalake(theirs.epochs, epochs, storage_options=storage_options(root))
        self._others.append(other)
        return other

    def pick_table(self, rng):
        """Returns one of the tables with a key that changed since the last audit; one that always is, if none did."""
        contracts = latest_contracts(LakeLayout.of(self.settings))
        return rng.choice([t for t in select(self._changed(), contracts) if contracts[t].key] or [BULK])

    def start_drain(self, *, environment=None, prepare=None, then=None):
        """Starts a drain of everything committed so far, in a process of its own and in small portions.

        Args:
            environment: Variables of the process.
            prepare: Called in the process before the drain; a module's function, or a partial of one.
            then: Called with the settings afterwards; likewise a function, or a partial of one.
        """
        self.whole = False
        cdc = self.settings.cdc.model_copy(update=self._cdc)
        settings = self.settings.model_copy(update={"cdc": cdc})
        environment = {**self._environment, **(environment or {})}
        return Drain(settings, self.source.mark(), environment=environment, prepare=prepare, then=then)

    def drain(self, **options):
        """Drains, and waits until that has ended; returns how."""
        return self.start_drain(**options).wait()

    def recover(self):
        """Drains until that succeeds: a service that came back may say for a while that it can't answer yet."""
        for _ in range(_ATTEMPTS):
            if self._drain_in_one().require(paused=True).clean:
                return
            Event().wait(_PAUSE_SECONDS)
        self._drain_in_one().require(clean=True)

    def finish(self):
        """Drains once more, which must succeed, and audits the lake; returns the verdict."""
        self.whole = False
        began = time.monotonic()
        self._drain_in_one().require(clean=True)
        self.seconds = time.monotonic() - began
        verdict = self.audit() + self.finish_others()
        self.whole = verdict.good
        return verdict

    def finish_others(self):
        """Drains and audits the lakes elsewhere, and forgets them; returns the verdict."""
        others, self._others = self._others, []
        return sum([other.finish() for other in others], Verdict())

    def _drain_in_one(self):
        """Drains in portions of the usual size."""
        return Drain(self.settings, self.source.mark(), environment=self._environment).wait()

    def audit(self, *, everything=False):
        """Audits the lake; of silver, by default, what changed since the last time."""
        patterns = ["*.*"] if everything else self._changed()
        self._audited = dict(self.source.rounds)
        verdict = self._audit.look(patterns)
        return verdict + self._check_cases() if everything else verdict

    def _changed(self):
        """Patterns of the tables that changed since the last audit, all of them before the first one."""
        return [f"*.{name}*" for name, n in self.source.rounds.items() if self._audited.get(name) != n]

    def _check_cases(self):
        """What cases assert of their tables besides."""
        with open_lake(self.settings) as lake:
            for name, case in self.source.cases.items():
                try:
                    if self.source.rounds[name] > 0:
                        case.check(lake)
                except AssertionError as error:
                    return Verdict(lost=1, details=(f"{name}: {error}",))
        return Verdict()


@contextmanager
def fresh_world(services, folder, *, cases=None):
    """A new source with its lake in a folder, drained for the first time; the folder stays.

    Args:
        services: PostgreSQL, Kafka and Kafka Connect.
        folder: Where the lake will be.
        cases: How the tables change; by default in all ways.
    """
    with (
        fresh_database(services) as database,
        fresh_settings(services, database, folder / "lake") as settings,
        closing(Source(settings, services, cases)) as source,
    ):
        world = World(source, settings.lake.root)
        verdict = world.finish()
        assert verdict.good, verdict
        yield world
