"""dbt models partitioned by day: those that name a date column as `meta.partitioned_by`."""

import json
from pathlib import Path
from typing import Any

import duckdb
import yaml

from connectors.backfill.partitions import Partition
from connectors.errors import TerminalError, TransientError
from connectors.lake.dbt_settings import using
from connectors.lake.gold import BUSY, gold_file
from connectors.postgres.identifiers import quote_identifier
from connectors.settings import Settings


def partitioned_models(project: Path) -> dict[str, str]:
    """Returns the date column of every model of a dbt project that is partitioned by one."""
    models = [
        model
        for file in sorted((project / "models").rglob("*.yml"))
        for model in yaml.safe_load(file.read_text()).get("models", ())
    ]
    columns = {model["name"]: model.get("config", {}).get("meta", {}).get("partitioned_by") for model in models}
    return {name: column for name, column in columns.items() if column is not None}


class DbtModel:
    """One model of gold.

    Args:
        settings: The lake, and the dbt project.
        name: Its name.
        column: Its column of dates.
    """

    def __init__(self, settings: Settings, name: str, column: str) -> None:
        self._settings = settings
        self._name = name
        self._column = column

    def replace(self, partition: Partition) -> int:
        """Builds and tests the model's rows of these days, from its parents as they were last built.

        Raises:
            TerminalError: The model or one of its tests failed; gold is as before.
            TransientError: Another dbt run is building.
        """
        # dbt takes seconds to import; only a run that uses it should wait for that.
        from dbt.cli.main import dbtRunner  # noqa: PLC0415

        since, until = map(str, partition.days)
        with using(self._settings):
            done = dbtRunner().invoke(self._arguments({"partition": {"since": since, "until": until}}))
        if not done.success:
            raise self._error(f"could not build {self._name} from {since} to {until}", _reasons(done))
        return self._count(since, until)

    def _arguments(self, variables: dict[str, Any]) -> list[str]:
        folder = self._settings.home / "dbt"
        choice = {
            "--select": self._name,
            # A test that looks at other models, too, may fail until all partitions are built.
            "--indirect-selection": "cautious",
            "--exclude-resource-type": "unit_test",
            "--vars": json.dumps(variables),
        }
        # Apart from the whole build's, so that other variables don't make that one parse all files again.
        places = {"--target-path": folder / "backfill", "--log-path": folder / "logs"}
        places |= {"--project-dir": self._settings.dbt.project, "--profiles-dir": self._settings.dbt.project}
        options = [str(part) for option in (choice | places).items() for part in option]
        return ["--quiet", "build", *options]

    def _count(self, since: str, until: str) -> int:
        column = quote_identifier(self._column)
        query = f"SELECT count(*) FROM marts.{quote_identifier(self._name)} WHERE {column} >= ? AND {column} < ?"
        with duckdb.connect(gold_file(self._settings), read_only=True) as gold:
            row = gold.execute(query, [since, until]).fetchone()
        return 0 if row is None else int(row[0])

    def _error(self, what: str, reasons: str) -> TerminalError | TransientError:
        # What stands behind an error of dbt comes as text only.
        kind = TransientError if BUSY in reasons else TerminalError
        return kind(f"dbt {what}: {reasons}", hint=f"dbt's log is in {self._settings.home / 'dbt' / 'logs'}")


def _reasons(done: Any) -> str:
    if done.exception is not None:
        return str(done.exception)
    nodes = [node for node in done.result or () if node.status not in ("success", "pass", "warn", "no-op")]
    return "; ".join(f"{node.node.name}: {node.message}" for node in nodes)
