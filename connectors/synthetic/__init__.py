"""A synthetic web shop: its tables, seeded data, and live traffic with the cases that are hard to capture."""

from connectors.synthetic.generate import EPOCH, fill_shop, generate_rows
from connectors.synthetic.shop import TABLES, count_rows, create_shop, drop_shop, is_filled

__all__ = [
    "EPOCH",
    "TABLES",
    "count_rows",
    "create_shop",
    "drop_shop",
    "fill_shop",
    "generate_rows",
    "is_filled",
]
