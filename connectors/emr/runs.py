"""What EMR Serverless says of a job."""

from dataclasses import dataclass

ENDED = frozenset(("SUCCESS", "FAILED", "CANCELLED"))
"""The last states of a job."""

# List prices of us-east-1 on x86, in dollars an hour (aws.amazon.com/emr/pricing, 2026); storage beyond 20 GB a worker
# is left out.
_VCPU_HOUR, _GB_HOUR = 0.052624, 0.0057785


@dataclass(frozen=True)
class JobRun:
    """A job, at one moment.

    Attributes:
        id: Its id there.
        name: What it does.
        state: `RUNNING`, `SUCCESS`, `FAILED` and so on.
        details: Why it is in that state; may be empty.
        seconds: What it ran.
        vcpu_hours: Billed hours of virtual processors.
        memory_gb_hours: Billed hours of gigabytes.
    """

    id: str
    name: str
    state: str
    details: str = ""
    seconds: float = 0.0
    vcpu_hours: float = 0.0
    memory_gb_hours: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether its state is the last one."""
        return self.state in ENDED

    @property
    def dollars(self) -> float:
        """About what it costs, by the list prices of us-east-1."""
        return self.vcpu_hours * _VCPU_HOUR + self.memory_gb_hours * _GB_HOUR
