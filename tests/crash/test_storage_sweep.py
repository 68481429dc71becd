"""Storage that fails at any request of a job, in any way: the next run finds the lake as it should be.

`make test-long` lets other jobs fail, too, and in many more ways.
"""

import pytest

from tests.crash.sweep import all_jobs, storage, strike, ways

JOBS = [job for job in all_jobs() if job.name in ("next drain", "read")]


@pytest.fixture(scope="module")
def proxy():
    with storage() as proxy:
        yield proxy


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name.replace(" ", "-"))
def test_job_that_failed_anywhere_is_whole_after_the_next_run(proxy, job, rng):
    way = rng.choice(list(ways(job, proxy)))
    outcome, wrong = strike(job, proxy, *way)
    assert wrong == {}, f"request {way}, after which the job {outcome}"
