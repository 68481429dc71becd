"""Whatever goes wrong while changes are drained: the next drain leaves silver equal to its source, each change once."""

import pytest

from tests.crash.fault import CHEAP, all_faults, strike

ROUNDS = 6


@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: fault.kind.replace(" ", "-"))
def test_nothing_is_lost_doubled_or_regressed(world, fault, rng):
    assert fault.possible(world)
    wanted, happened = (2 if fault.weight >= CHEAP else 1), 0
    for _ in range(ROUNDS):
        faults, verdict = strike(world, fault, rng)
        assert verdict.good, verdict
        happened += faults
        if happened >= wanted:
            return
    pytest.fail(f"it happened {happened} times in {ROUNDS} rounds")
