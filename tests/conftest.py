"""How long Hypothesis looks, and where it begins: at another place in each run, which the header names."""

import os
import random

import pytest
from hypothesis import HealthCheck, Phase, settings

# Shrinking takes longer than a test may: what failed would be cut off before it is shown.
_WITHOUT_SHRINKING = [phase for phase in Phase if phase not in (Phase.shrink, Phase.explain)]
settings.register_profile(
    "default",
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=_WITHOUT_SHRINKING,
    print_blob=True,
)
settings.register_profile("long", settings.get_profile("default"), max_examples=1000, phases=list(Phase))
settings.load_profile("default")


_SEED = "LAKEHOUSE_TEST_SEED"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    seed = os.environ.setdefault(_SEED, str(random.SystemRandom().randrange(10**6)))
    if config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = seed


def pytest_report_header():
    return f"examples, faults: {_SEED}={os.environ[_SEED]}"
