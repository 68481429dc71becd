"""Jobs on EMR Serverless."""

__all__ = ["runs", "service"]
