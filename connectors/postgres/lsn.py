"""LSNs: positions in PostgreSQL's log, as numbers here and as text for people."""

import re

PATTERN = "^([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})$"
"""How an LSN looks."""


def parse_lsn(text: str) -> int:
    """Turns `16/B374D848` into a number.

    Raises:
        ValueError: The text is no LSN.
    """
    found = re.match(PATTERN, text)
    if found is None:
        raise ValueError(f"{text!r} is no LSN, which looks like 16/B374D848")
    high, low = found.groups()
    return (int(high, 16) << 32) | int(low, 16)


def format_lsn(lsn: int) -> str:
    """Turns a number into PostgreSQL's notation, `16/B374D848`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
