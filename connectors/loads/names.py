"""Names of columns in the lake."""

from functools import cache

from dlt.common.normalizers.naming.snake_case import NamingConvention


@cache
def column_name(name: str) -> str:
    """The name that a column has in the lake: in snake case, as dlt writes it."""
    return str(NamingConvention().normalize_identifier(name))
