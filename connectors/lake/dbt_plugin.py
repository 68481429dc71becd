"""dbt-duckdb's plugin for the lake: pins what a dbt run reads, publishes what it builds, all or nothing.

Named in `dbt/profiles.yml`. At the start of a run it pins every silver table at one version, with what is pending of
it, as views in schema `silver`, and what batch loads wrote, in a schema per source; it attaches a copy of gold as
catalogue `gold`. `dbt/macros/finish_gold.sql` calls it at the end.
"""

import threading
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.invocation import get_invocation_id
from duckdb import DuckDBPyConnection

from connectors.errors import LakehouseError
from connectors.lake.dbt_settings import settings_of_run
from connectors.lake.fresh import pin_fresh
from connectors.lake.gold import GoldBuild, built_states, gold_file, record_states
from connectors.lake.load_views import pin_loads, register_loads
from connectors.lake.storage import configure_connection
from connectors.lake.views import register_views
from connectors.postgres.identifiers import quote_literal


class Plugin(BasePlugin):
    """Serves one process, which may do several dbt runs one after the other, each in several threads."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002 - dbt-duckdb's signature
        """Prepares; nothing is opened before dbt connects."""
        self._settings = settings_of_run()
        self._lock = threading.Lock()
        self._run: str | None = None
        self._build: GoldBuild | None = None

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Lets the database read the lake."""
        self._database = conn
        configure_connection(conn, self._settings.lake.root)

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Called for each thread's cursor: the first one of a run pins silver, all others find it pinned."""
        with self._lock:
            if self._run != get_invocation_id():
                try:
                    self._begin(cursor)
                except LakehouseError as error:
                    raise DbtRuntimeError(str(error)) from error
                self._run = get_invocation_id()

    def store(self, target_config: TargetConfig) -> None:
        """Ends the run: publishes gold, or abandons it if the run failed."""
        self._end(publish=target_config.config["succeeded"])

    def _begin(self, cursor: DuckDBPyConnection) -> None:
        self._end(publish=False)  # the process's last run, if that broke off
        settings = self._settings
        build = GoldBuild(gold_file(settings))
        build.begin()
        self._build = build
        cursor.execute(f"ATTACH {quote_literal(str(build.file))} AS gold")
        silver = pin_fresh(settings)
        register_views(cursor, silver)
        loads = pin_loads(settings.lake.root)
        register_loads(cursor, loads)
        record_states(cursor, "gold", {} if _is_partial() else built_states(silver, loads))

    def _end(self, *, publish: bool) -> None:
        if self._build is None:
            return
        with self._database.cursor() as cursor:
            if publish:
                cursor.execute("CHECKPOINT gold")
            cursor.execute("DETACH DATABASE IF EXISTS gold")
        end = self._build.publish if publish else self._build.abandon
        self._build = None
        end()


def _is_partial() -> bool:
    flags = get_flags()  # type: ignore[no-untyped-call]
    return bool(getattr(flags, "SELECT", None) or getattr(flags, "EXCLUDE", None) or getattr(flags, "SELECTOR", None))
