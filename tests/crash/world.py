"""A source and a lake that follows it: what faults happen to."""

import time
from contextlib import closing, contextmanager

from deltalake import write_deltalake

from connectors.lake.layout import LakeLayout
from connectors.lake.storage import open_table, storage_options
from tests.crash.audit import Audit
from tests.crash.drains import Drain
from tests.crash.source import Source
from tests.services import fresh_database, fresh_settings

SMALL_BATCHES = {"batch_messages": 25, "slice_rows": 40}
"""So that there is a second micro-batch, and a second slice, for something to happen in."""


class World:
    """One lake that follows a source.

    Args:
        source: The source.
        root: The lake's root: a folder, or `s3://…`.
        environment: Variables of every drain's process, above the usual ones.

    Attributes:
        settings: The source's settings, with this lake.
        seconds: What the last clean drain took; moments for something to happen are chosen within.
        whole: The last audit found nothing wrong, and nothing happened since.
    """

    def __init__(self, source, root, *, environment=None):
        lake = source.settings.lake.model_copy(update={"root": root})
        self.source = source
        self.settings = source.settings.model_copy(update={"lake": lake})
        self.seconds = 1.0
        self.whole = True
        self._environment = environment or {}
        self._audit = Audit(self.settings)
        self._audited = {}

    def elsewhere(self, root, *, environment=None):
        """Returns the same source with another lake, empty but for what registration wrote.

        Its first drain begins with the first message that the stream holds.
        """
        other = World(self.source, root, environment=environment)
        ours, theirs = (LakeLayout(w.settings.lake.root, w.settings.cdc.source) for w in (self, other))
        for uri, copy in [(ours.contracts, theirs.contracts), (ours.epochs, theirs.epochs)]:
            rows = open_table(uri).to_pyarrow_table()
            write_deltalake(copy, rows, storage_options=storage_options(copy))
        return other

    def start_drain(self, *, environment=None, prepare=None, cdc=None):
        """Starts a drain of everything committed so far, in a process of its own.

        Args:
            environment: Variables of the process.
            prepare: Called in the process before the drain; a module's function, or a partial of one.
            cdc: Settings of the drain, above `SMALL_BATCHES`.
        """
        self.whole = False
        cdc = self.settings.cdc.model_copy(update={**SMALL_BATCHES, **(cdc or {})})
        settings = self.settings.model_copy(update={"cdc": cdc})
        environment = {**self._environment, **(environment or {})}
        return Drain(settings, self.source.mark(), environment=environment, prepare=prepare)

    def drain(self, **options):
        """Drains, and waits until that has ended; returns how."""
        return self.start_drain(**options).wait()

    def finish(self):
        """Drains once more, which must succeed, and audits the lake; returns the verdict."""
        began = time.monotonic()
        outcome = self.drain()
        assert outcome.clean, f"the drain after the fault failed: {outcome.error or 'it was killed'}"
        self.seconds = time.monotonic() - began
        return self.audit()

    def audit(self, *, everything=False):
        """Audits the lake; of silver, by default, what changed since the last time."""
        rounds = dict(self.source.rounds)
        changed = [name for name, n in rounds.items() if everything or self._audited.get(name) != n]
        verdict = self._audit.look([f"*.{name}*" for name in changed])
        self._audited = rounds
        self.whole = verdict.good
        return verdict


@contextmanager
def fresh_world(services, folder):
    """A new source with its lake in a folder, drained for the first time; the folder stays."""
    with (
        fresh_database(services) as database,
        fresh_settings(services, database, folder / "lake") as settings,
        closing(Source(settings, services)) as source,
    ):
        world = World(source, settings.lake.root)
        verdict = world.finish()
        assert verdict.good, verdict
        yield world
