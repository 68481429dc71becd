"""What a change event means: decoding, order, folding."""

__all__ = [
    "cdc_columns",
    "columns",
    "decode",
    "envelope",
    "events",
    "fold",
    "low_watermark",
    "markers",
    "moment",
    "order",
    "schema_changes",
    "toast",
    "workspace",
]
