"""What a change event means: decoding, order, folding."""

__all__ = [
    "cdc_columns",
    "columns",
    "decode",
    "envelope",
    "events",
    "fold",
    "key_changes",
    "low_watermark",
    "markers",
    "moment",
    "order",
    "policies",
    "schema_changes",
    "snapshots",
    "toast",
    "workspace",
]
