"""A synthetic web shop: its tables, seeded data, and live traffic with the cases that are hard to capture."""

from connectors.synthetic.edge_cases import HARD_CASES
from connectors.synthetic.generate import EPOCH, fill_shop, generate_rows
from connectors.synthetic.shop import TABLES, count_rows, create_shop, drop_shop, is_filled
from connectors.synthetic.traffic import DEFAULT_MIX, TrafficCounts, apply_traffic, hard_cases

__all__ = [
    "DEFAULT_MIX",
    "EPOCH",
    "HARD_CASES",
    "TABLES",
    "TrafficCounts",
    "apply_traffic",
    "count_rows",
    "create_shop",
    "drop_shop",
    "fill_shop",
    "generate_rows",
    "hard_cases",
    "is_filled",
]
