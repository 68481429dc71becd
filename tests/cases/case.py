"""Ways in which a source changes, each in a file of its own.

The same cases prove what every event means, and that no fault loses or doubles one.
"""

import importlib
import pkgutil
from pathlib import Path

import psycopg


class Case:
    """One way in which tables change.

    Attributes:
        event: Name of the event, in the documented table of events, that the case proves.
        ddl: SQL that makes the case's tables; their names begin with the name of the case's file.
        before: SQL that makes the rows which the snapshot reads.
    """

    event = ""
    ddl = ""
    before = ""

    def change(self, source, n):
        """Changes the tables; `source` is a connection in autocommit, `n` = 1, 2, ... the round."""
        raise NotImplementedError

    def check(self, lake):
        """Asserts what holds besides silver being equal to the source.

        `lake` is a connection to DuckDB: `silver.<table>` as readers see it, `stored.<table>` with deleted rows.
        """


def second_connection(source):
    """Another connection to the same database, with transactions."""
    return psycopg.connect(source.info.dsn, password=source.info.password)


def all_cases():
    """One of each, in the order of their files."""
    folder = Path(__file__).parent
    names = sorted(module.name for module in pkgutil.iter_modules([str(folder)]) if module.name != "case")
    modules = [importlib.import_module(f"tests.cases.{name}") for name in names]
    found = [vars(module)[name] for module in modules for name in sorted(vars(module))]
    return [c() for c in found if isinstance(c, type) and issubclass(c, Case) and c is not Case]
