import uuid

import fsspec

from tests.crash.fault import CHEAP, Fault
from tests.crash.proxy import FAULTS
from tests.crash.sweep import IMPATIENT, storage
from tests.s3 import BUCKET


class S3Fails(Fault):
    """S3 fails at some request of the first drain into an empty lake, in some way, once or until it is repaired."""

    weight = CHEAP // 4

    def inject(self, world, rng):
        with storage() as proxy:
            lake = world.elsewhere(f"s3://{BUCKET}/{uuid.uuid4().hex}")
            proxy.fail(rng.choice(FAULTS), nth=int(2 ** rng.uniform(0, 9)), for_good=rng.random() < 0.5)
            lake.drain(environment=IMPATIENT, prepare=_read_impatiently).require()
            happened = int(bool(proxy.failed))
            proxy.heal()
            verdict = world.finish_others()
        assert verdict.good, verdict
        return happened


def _read_impatiently():
    fsspec.config.conf["s3"] = {"config_kwargs": {"read_timeout": 1}}
