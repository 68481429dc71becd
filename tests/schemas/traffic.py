"""Schemas that are not the shop's: a folder each, with the tables, the rows of the snapshot, and changes of them."""

import random
from collections import Counter
from pathlib import Path

import psycopg

SCHEMAS = Path(__file__).parent


def create_schema(source, name):
    """Makes the tables of a schema, with their rows."""
    source.execute((SCHEMAS / name / "schema.sql").read_text())
    source.execute((SCHEMAS / name / "rows.sql").read_text())


def write(source, name, *, transactions, seed):
    """Makes changes by chance, over a connection of its own; counts what became of them.

    `source` is a connection to the same database. What two writers refuse each other, they roll back.
    """
    text = (SCHEMAS / name / "traffic.sql").read_text()
    changes = [change for change in text.split(";\n") if change.strip()]
    chance, outcomes = random.Random(seed), Counter()
    with psycopg.connect(source.info.dsn, password=source.info.password) as connection:
        connection.execute("SET deadlock_timeout = '20ms'")
        connection.commit()
        while outcomes.total() < transactions:
            try:
                for change in chance.choices(changes, k=chance.randint(1, 6)):
                    connection.execute(change)
            except (psycopg.OperationalError, psycopg.IntegrityError) as error:
                connection.rollback()
                outcomes[type(error).__name__] += 1
                continue
            ending = chance.choice(("commit", "commit", "commit", "rollback"))
            getattr(connection, ending)()
            outcomes[ending] += 1
    return outcomes
