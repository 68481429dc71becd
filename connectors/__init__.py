"""Connectors: plain Python for one system each, usable in a notebook or a test without Prefect.

The journey of one row change, and the file of each step:

1. born in PostgreSQL: `postgres/` reads the catalogue into table contracts and manages publication and slot;
2. captured by Debezium: `debezium/` configures the connector and talks to Kafka Connect;
3. carried by Kafka: `streams/` reads it in bounded polls, from positions that the lake keeps;
4. kept as received: `lake/bronze.py` commits each micro-batch with its stream positions;
5. understood: `changes/decode.py` makes typed values, `changes/order.py` orders changes, `changes/fold.py` folds
   several changes of one key into one;
6. merged: `lake/silver/` commits rows and progress together; `lake/quarantine.py` keeps what can't be decoded;
7. read: `lake/views.py` pins one version per table for queries, for dbt and for `quality/`, which compares silver
   with the source.

`cdc/` holds the operations over these parts; `cdc/sync.py` runs steps 3 to 6 and is the first file to open.
`loads/` brings in what does not stream: DynamoDB, S3 objects, other tables of PostgreSQL.
`backfill/` runs past partitions of a target, `synthetic/` makes a web shop to try everything on.
"""

__all__ = [
    "aws",
    "backfill",
    "cdc",
    "changes",
    "debezium",
    "emr",
    "errors",
    "failpoints",
    "interrupts",
    "lake",
    "loads",
    "postgres",
    "quality",
    "settings",
    "streams",
    "synthetic",
]
