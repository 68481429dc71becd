"""Connectors: how to talk to one system each. Plain Python, usable alone in a notebook or a test.

The journey of one row change, and where each step is:

1. born in PostgreSQL: `postgres/` knows names, types, table contracts, publication and slot;
2. captured by Debezium: `debezium/` configures it and speaks to Kafka Connect; `source.py` registers a source;
3. carried by Kafka: `streams/` reads it in bounded polls, from positions that the lake keeps;
4. kept as received: `lake/bronze.py`, one commit per micro-batch, rows and positions together;
5. understood: `changes/decode.py` makes typed values, `changes/order.py` tells which change is newer,
   `changes/fold.py` makes one change of several;
6. applied: `lake/silver/`, rows and progress in one commit; what can't be read goes to `lake/quarantine.py`;
7. read: `lake/snapshot.py` pins one version per table, for queries, for dbt, and for `quality/`, which compares
   it with the source.

`drain.py` runs steps 3 to 6 and is the first file to open. `synthetic/` makes a web shop to try all this on.
"""
