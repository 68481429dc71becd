"""How single values are drawn and written."""

import base64
import random
from datetime import datetime, timedelta

LARGE_BYTES = 12_000
"""Characters of a large value: PostgreSQL must store it out of line, as it can't be compressed below a page."""


def money(cents: int) -> str:
    """An amount as PostgreSQL reads a numeric: `money(1999)` is `19.99`."""
    return f"{cents / 100:.2f}"


def stamp(moment: datetime, **shift: float) -> str:
    """A moment as PostgreSQL reads it, shifted by `days=`, `hours=`, ... where given."""
    return (moment + timedelta(**shift) if shift else moment).isoformat(" ")


def local_stamp(moment: datetime, **shift: float) -> str:
    """The same as the shop's wall clock (UTC+1) shows it, without zone."""
    return (moment.replace(tzinfo=None) + timedelta(hours=1) + timedelta(**shift)).isoformat(" ")


def skewed(rng: random.Random, count: int, *, power: float) -> int:
    """Draws from `range(count)`: few numbers are drawn often, most seldom. The frequent ones lie scattered."""
    # multiplying by a prime larger than any count reorders the numbers without collision
    return int(count * rng.random() ** power) * 2_654_435_761 % count


def large_text(rng: random.Random) -> str:
    """A text of more than 10 kB that no compression shortens much."""
    return base64.b64encode(rng.randbytes(LARGE_BYTES * 3 // 4)).decode()


def price_cents(rng: random.Random) -> int:
    """A price: log-normal around 20, mostly ending in 9."""
    cents = min(int(rng.lognormvariate(7.6, 0.9)), 5_000_000)
    return max(99, cents - cents % 10 + 9 if rng.random() < 0.8 else cents)
