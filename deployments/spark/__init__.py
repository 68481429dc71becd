"""Jobs that run on Spark: in local mode, on a cluster, or on EMR Serverless."""

__all__ = ["merge_job", "package"]
