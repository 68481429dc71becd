"""Partitioned backfills: a range of a target, run partition by partition, each exactly once.

`partitions.py` cuts a range into days, weeks or months; `targets.py` has what can be backfilled;
`ledger.py` keeps the status of each in the lake; `run.py` claims a partition, runs it and records the outcome;
`plan.py` finds what is missing, `parallel.py` runs it a few at a time; `grid.py` shows partition status.
"""

__all__ = ["dbt_models", "entry", "grid", "ledger", "parallel", "partitions", "plan", "run", "targets"]
