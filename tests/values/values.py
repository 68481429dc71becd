"""Values of one column, and of all columns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Values:
    """Values of one column.

    Attributes:
        declared: Its type, as a table declares it.
        kept: As PostgreSQL reads them.
        quarantined: The same, of those that no silver can hold.
        large: SQL of a value of some kilobytes; None where the type has none, or is never put out of line.
        literal: SQL of a value, around its quoted text.
    """

    declared: str
    kept: tuple[str, ...]
    quarantined: tuple[str, ...] = ()
    large: str | None = None
    literal: str = "{}"

    def sql(self, text):
        """A value in SQL."""
        return self.literal.format("'" + text.replace("'", "''") + "'")
