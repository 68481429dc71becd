"""Patterns of objects' keys, which may hold the day that an object is of: `clicks/%Y/%m/%d/*.jsonl.gz`."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

_FIELDS = {"%Y": r"(?P<Y>\d{4})", "%m": r"(?P<m>\d{2})", "%d": r"(?P<d>\d{2})", "%H": r"\d{2}"}
_WILD = {"**": r".*", "*": r"[^/]*", "?": r"[^/]"}
_TOKEN = re.compile(r"%[YmdH]|\*\*|[*?]")
_MOST_PREFIXES = 400


@dataclass(frozen=True)
class ObjectPath:
    """A pattern: `*` and `?` are within one folder, `**` is over several; `%Y`, `%m`, `%d` are a day, `%H` an hour.

    Attributes:
        pattern: The pattern.
    """

    pattern: str

    @property
    def has_days(self) -> bool:
        """Whether it says which day an object is of."""
        return all(self.pattern.count(part) == 1 for part in ("%Y", "%m", "%d"))

    def problem(self) -> str | None:
        """What is wrong with it, if anything is."""
        if any(part in self.pattern for part in ("%Y", "%m", "%d")) and not self.has_days:
            return "a day is %Y, %m and %d, each once"
        if re.search(r"%(?![YmdH])", self.pattern):
            return "behind % there may be Y, m, d or H"
        return None

    def match(self, key: str) -> "ObjectMatch | None":
        """Returns what a key says; None if it is not meant, or has no such day."""
        found = self._regex.fullmatch(key)
        if found is None:
            return None
        if not self.has_days:
            return ObjectMatch(None)
        try:
            return ObjectMatch(date(int(found["Y"]), int(found["m"]), int(found["d"])))
        except ValueError:
            return None

    def prefixes(self, since: date | None, until: date | None) -> list[str]:
        """Returns what the keys of a range of days begin with; of many days, what all keys begin with."""
        first = _TOKEN.search(self.pattern)
        whole = self.pattern if first is None else self.pattern[: first.start()]
        if not self.has_days or since is None or until is None or (until - since).days > _MOST_PREFIXES:
            return [whole]
        last = max(self.pattern.index(part) for part in ("%Y", "%m", "%d")) + 2
        of_day = self.pattern[:last]
        if any(token in of_day for token in ("*", "?", "%H")):
            return [whole]
        days = [since + timedelta(days=n) for n in range((until - since).days)]
        return [of_day.replace("%Y", f"{day:%Y}").replace("%m", f"{day:%m}").replace("%d", f"{day:%d}") for day in days]

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        parts, at = [], 0
        for token in _TOKEN.finditer(self.pattern):
            parts.append(re.escape(self.pattern[at : token.start()]))
            parts.append(_FIELDS.get(token[0]) or _WILD[token[0]])
            at = token.end()
        return re.compile("".join([*parts, re.escape(self.pattern[at:])]))


@dataclass(frozen=True)
class ObjectMatch:
    """What a key says.

    Attributes:
        day: The day that the object is of; None: it does not say.
    """

    day: date | None
