"""The settings that dbt's plugin for the lake works with; apart from it, as dbt takes seconds to import."""

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.settings import Settings, load_settings

_given: list[Settings] = []


@contextmanager
def using(settings: Settings) -> Iterator[None]:
    """Runs dbt within this process with these settings; run by itself, dbt has those of the environment."""
    _given.append(settings)
    try:
        yield
    finally:
        _given.pop()


def settings_of_run() -> Settings:
    """Returns the settings of the dbt run that this process is in."""
    return _given[-1] if _given else load_settings()
