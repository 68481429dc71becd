"""What a run cost the machine it ran on."""

import resource
import sys
import time
from dataclasses import dataclass, field

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    """Time and memory of this process.

    Attributes:
        seconds: Duration.
        cpu_seconds: Time that its threads computed.
        peak_bytes: The most memory that it had at any moment since it was started.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Meter:
    """Measures from the moment it is made."""

    _began: float = field(default_factory=time.monotonic)
    _cpu_began: float = field(default_factory=time.process_time)

    def read(self) -> Cost:
        """The cost so far."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
        return Cost(time.monotonic() - self._began, time.process_time() - self._cpu_began, peak)
