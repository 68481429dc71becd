"""What a change event means: decoding, order, folding."""

__all__ = [
    "columns",
    "decode",
    "envelope",
    "events",
    "floor",
    "fold",
    "markers",
    "moment",
    "order",
    "schema_changes",
    "toast",
]
