"""Whatever goes wrong while changes are drained: the next drain leaves silver equal to its source, each change once."""

import pytest

from tests.crash.fault import CHEAP, all_faults, strike

ROUNDS = 6

FAULTS = {fault.kind.replace(" ", "-"): fault for fault in all_faults() if not fault.needs_disk}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_nothing_is_lost_doubled_or_regressed(world, fault, rng):
    wanted, happened = (2 if fault.weight >= CHEAP else 1), 0
    for _ in range(ROUNDS):
        faults, verdict = strike(world, fault, rng)
        assert verdict.good, verdict
        happened += faults
        if happened >= wanted:
            return
    pytest.fail(f"it happened {happened} times in {ROUNDS} rounds")
