"""Which days a load is about."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Window:
    """Which days to load: from `since` to before `until`; None: without that end.

    Attributes:
        since: First day.
        until: First day behind it.
        again: Read also what was loaded already.
        files: Read only these objects, and them also again; None: all. Tables without objects are read whole.
    """

    since: date | None = None
    until: date | None = None
    again: bool = False
    files: frozenset[str] | None = None

    @property
    def is_range(self) -> bool:
        """Whether it leaves out any day."""
        return self.since is not None or self.until is not None

    def has(self, day: date) -> bool:
        """Whether a day is in it."""
        return (self.since is None or day >= self.since) and (self.until is None or day < self.until)
