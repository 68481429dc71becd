"""Prefect flows: compositions of tasks. They also run in a script or a notebook."""

from flows.backfill import backfill
from flows.backfill_partition import backfill_partition
from flows.build_marts import build_marts
from flows.drain_cdc import drain_cdc
from flows.lakehouse import lakehouse
from flows.load_batch import load_batch
from flows.maintain_lake import maintain_lake
from flows.merge_on_spark import merge_on_spark
from flows.rebuild_silver import rebuild_silver
from flows.reconcile_tables import reconcile_tables
from flows.replay_quarantine import replay_quarantine
from flows.resync_tables import resync_tables

__all__ = [
    "backfill",
    "backfill_partition",
    "build_marts",
    "drain_cdc",
    "lakehouse",
    "load_batch",
    "maintain_lake",
    "merge_on_spark",
    "rebuild_silver",
    "reconcile_tables",
    "replay_quarantine",
    "resync_tables",
]
