"""Iceberg tables that follow Delta tables: Delta stays the writer, Iceberg reads the same files.

One snapshot brings an Iceberg table from whatever version it was at to the newest one: it takes out the files that are
gone and adds those that are new. Idempotent; of two at once the second to commit looks again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable
from sqlalchemy.exc import IntegrityError, OperationalError

from connectors.errors import CommitConflict, ConfigurationError
from connectors.failpoints import failpoint
from connectors.lake.commits import optimistically
from connectors.lake.iceberg.catalogs import address, open_catalog, warehouse
from connectors.lake.iceberg.claims import Claim, read_claim, write_claim
from connectors.lake.iceberg.data_files import data_file
from connectors.lake.storage import data_files, open_table
from connectors.settings import Settings

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

_VERSION, _DELTA = "lakehouse.delta-version", "lakehouse.delta-table"
_PROPERTIES = {
    # Tried again on top of another run's snapshot, a commit would add files twice.
    "commit.retry.num-retries": "0",
    # Each commit leaves a file of metadata.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


@dataclass(frozen=True)
class MirrorReport:
    """What became of one Iceberg table.

    Attributes:
        table: The lake's table.
        iceberg: The Iceberg table: `silver_iceberg.orders`.
        version: Version of the Delta table that it shows.
        added: Files that it got.
        removed: Files that it gave up.
        owner: Who deletes files that are no longer needed.
        seconds: Duration.
    """

    table: str
    iceberg: str
    version: int
    added: int
    removed: int
    owner: str
    seconds: float


def mirror_table(settings: Settings, table: str, uri: str, identifier: tuple[str, str]) -> MirrorReport:
    """Brings the Iceberg table of a Delta table to its newest version.

    Args:
        settings: The catalogue, and how long replaced files are kept.
        table: Name of the lake's table.
        uri: Its address.
        identifier: Namespace and name of the Iceberg table.

    Raises:
        CommitConflict: Other runs won every race.
        ConfigurationError: There is no such table, Iceberg has taken it over, or another table has that name.
    """
    return _follow(settings, table, uri, identifier, migrate=False)


def migrate_table(settings: Settings, table: str, uri: str, identifier: tuple[str, str]) -> MirrorReport:
    """Hands a Delta table's files over to Iceberg, without a copy; vacuum deletes none of them from then on.

    Raises:
        CommitConflict: Other runs won every race.
        ConfigurationError: As `mirror_table`.
    """
    return _follow(settings, table, uri, identifier, migrate=True)


def _follow(settings: Settings, table: str, uri: str, identifier: tuple[str, str], *, migrate: bool) -> MirrorReport:
    began = time.monotonic()
    name = ".".join(identifier)

    def attempt() -> MirrorReport:
        with _iceberg_errors(name):
            catalog = open_catalog(settings)
        claim = read_claim(uri)
        if claim is not None and claim.migrated:
            raise ConfigurationError(
                f"{table} was migrated to {claim.table}: Iceberg is its own writer now", hint="write to that table"
            )
        # Iceberg first: the Delta table that is opened then is never older than what is mirrored.
        found = _open(catalog, identifier, uri)
        delta = open_table(uri)
        if delta is None:
            raise ConfigurationError(f"{table} is not in the lake yet", hint="run `lakehouse drain`")
        target = found or _create(settings, catalog, identifier, delta, uri)
        reached = int(target.properties.get(_VERSION, -1))
        version = delta.version()
        held = tuple(sorted({*(claim.versions if claim else ()), *([reached] if reached >= 0 else []), version}))
        write_claim(uri, Claim(name, held))
        failpoint("iceberg-claimed")
        added, removed = (0, 0) if reached == version else _commit(target, delta, uri)
        failpoint("iceberg-committed")
        if not migrate:
            # Before their files are vacuumed, no snapshot may name them any more.
            _expire(target, hours=settings.maintenance.vacuum_hours)
        # Another run may have gone further meanwhile.
        shown = int(target.refresh().properties[_VERSION])
        write_claim(uri, Claim(name, (shown,), migrated=migrate))
        owner = "Iceberg" if migrate else "Delta"
        return MirrorReport(table, name, version, added, removed, owner, time.monotonic() - began)

    return optimistically(attempt)


def _open(catalog: "Catalog", identifier: tuple[str, str], uri: str) -> "Table | None":
    from pyiceberg.exceptions import NoSuchTableError  # noqa: PLC0415 - an extra

    try:
        found = catalog.load_table(identifier)
    except NoSuchTableError:
        return None
    if found.properties.get(_DELTA) != uri:
        raise ConfigurationError(
            f"{'.'.join(identifier)} in the catalogue is not the mirror of {uri}",
            hint="set LAKEHOUSE_CATALOG__PREFIX, so that this lake has namespaces of its own",
        )
    return found


def _create(
    settings: Settings, catalog: "Catalog", identifier: tuple[str, str], delta: DeltaTable, uri: str
) -> "Table":
    namespace, name = identifier
    with _iceberg_errors(f"{namespace}.{name}"):
        catalog.create_namespace_if_not_exists(namespace)
        with (
            catalog.create_table_transaction(
                identifier,
                schema=_schema(delta),
                location=f"{warehouse(settings)}/{namespace}/{name}",
                properties={**_PROPERTIES, _DELTA: uri},
            ) as making,
            making.update_spec() as spec,
        ):
            for column in delta.metadata().partition_columns:
                spec.add_identity(column)
    return catalog.load_table(identifier)


def _commit(target: "Table", delta: DeltaTable, uri: str) -> tuple[int, int]:
    """Makes the snapshot of a Delta version; returns how many files it adds and removes."""
    wanted = {address(file["path"]): file for file in data_files(uri, delta)}
    version = str(delta.version())
    with _iceberg_errors(".".join(target.name())), target.transaction() as changing:
        with changing.update_schema() as evolving:
            evolving.union_by_name(_schema(delta))
        changing.set_properties(
            {
                _VERSION: version,
                "schema.name-mapping.default": changing.table_metadata.schema().name_mapping.model_dump_json(),
            }
        )
        there = {task.file.file_path: task.file for task in target.scan().plan_files()}
        added, removed = wanted.keys() - there.keys(), there.keys() - wanted.keys()
        if added or removed:
            with changing.update_snapshot(snapshot_properties={_VERSION: version}).overwrite() as snapshot:
                for path in sorted(removed):
                    snapshot.delete_data_file(there[path])
                for path in sorted(added):
                    snapshot.append_data_file(data_file(target.io, changing.table_metadata, path, wanted[path]))
    return len(added), len(removed)


def _schema(delta: DeltaTable) -> pa.Schema:
    return pa.schema([pa.field(f.name, f.type) for f in pa.schema(delta.schema().to_arrow())])


def _expire(target: "Table", *, hours: int) -> None:
    current = target.refresh().current_snapshot()
    limit = datetime.now(UTC) - timedelta(hours=hours)
    old = [
        s.snapshot_id
        for s in target.metadata.snapshots
        if s.timestamp_ms < limit.timestamp() * 1000 and (current is None or s.snapshot_id != current.snapshot_id)
    ]
    if old:
        with _iceberg_errors(".".join(target.name())):
            target.maintenance.expire_snapshots().by_ids(old).commit()


@contextmanager
def _iceberg_errors(table: str) -> Iterator[None]:
    from pyiceberg.exceptions import (  # noqa: PLC0415 - an extra
        CommitFailedException,
        NamespaceAlreadyExistsError,
        TableAlreadyExistsError,
        ValidationException,
    )

    # Of two that create a SQL catalogue, or a namespace in it, the second gets the database's own error.
    lost = (
        CommitFailedException,
        IntegrityError,
        NamespaceAlreadyExistsError,
        OperationalError,
        TableAlreadyExistsError,
        ValidationException,
    )
    try:
        yield
    except lost as error:
        raise CommitConflict(f"{table}: another writer committed first: {error}") from error
