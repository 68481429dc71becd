"""Partitioned backfills: a range of a target, made anew one partition at a time, each exactly once.

`partitions.py` cuts a range into days, weeks or months; `targets.py` says what can be made anew by partition;
`ledger.py` remembers in the lake what became of each; `run.py` claims a partition, runs it and records the outcome;
`plan.py` finds what is missing, `parallel.py` runs it a few at a time; `grid.py` shows how far it is.
"""

__all__ = ["dbt_models", "entry", "grid", "ledger", "parallel", "partitions", "plan", "run", "targets"]
