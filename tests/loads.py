"""A lake that batch loads write, and how it looks."""

from pathlib import Path

import yaml

from connectors.lake.layout import LakeLayout
from connectors.lake.load_views import pin_load
from connectors.lake.quarantine import open_quarantine
from connectors.lake.reader import query_lake
from connectors.lake.storage import scratch_connection
from connectors.settings import LakeSettings, LoadSettings, Settings


def load_settings(folder: Path, sources, *, aws=None, **others):
    """Settings with a declaration of these sources, and a lake in the folder."""
    file = folder / "loads.yaml"
    file.write_text(yaml.safe_dump({"sources": sources}))
    given = {
        "home": folder,
        "lake": LakeSettings(root=str(folder / "lake")),
        "loads": LoadSettings(file=file),
        **others,
    }
    return Settings(**given, **({} if aws is None else {"aws": aws}))


def rows(settings, sql):
    """The rows of a query of the lake."""
    with query_lake(settings, sql) as found:
        return found.fetchall()


def version(settings, source, table):
    """Version of a table."""
    return pin_load(settings.lake.root, source, table).version


def quarantined(settings, columns="source_table, decode(key), stream_offset, reason"):
    """What is in quarantine and not settled, sorted."""
    layout = LakeLayout.of(settings)
    with scratch_connection(layout.root) as connection:
        open_quarantine(connection, layout)
        return connection.execute(
            f"SELECT {columns} FROM quarantined WHERE outcome = 'rejected' ORDER BY ALL"
        ).fetchall()


def declare(settings, source, table, **options):
    """Changes options of a table in the declaration."""
    tree = yaml.safe_load(settings.loads.file.read_text())
    tree["sources"][source]["tables"][table] |= options
    settings.loads.file.write_text(yaml.safe_dump(tree))
