"""Markdown for artifacts."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table; its first column names things, the others count them."""
    lines = [head, (":--", *("--:" for _ in head[1:])), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(text: str) -> str:
    """Returns text that can stand in a table: on one line, without bars."""
    return " ".join(text.split()).replace("|", "\\|")
