"""The lake's tables in the Glue Catalog, where Athena, EMR and Trino find them, kept in step with their columns.

Those engines read the Delta log themselves: a table is registered once, and again when its columns or comments change,
not with every commit. Only tables that this lake registered are changed or removed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError
from deltalake import DeltaTable
from deltalake.schema import ArrayType, MapType, PrimitiveType, StructType
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from connectors.aws import aws_client, aws_errors, error_code
from connectors.errors import CommitConflict, ConfigurationError
from connectors.lake.contract_log import latest_versions
from connectors.lake.layout import LakeLayout, view_name
from connectors.lake.load_views import loaded_tables
from connectors.lake.storage import is_remote, open_table
from connectors.settings import Settings

_OWNER = "lakehouse.lake"
_ATTEMPTS = 5
_LONGEST_COMMENT = 255
_NOT_IN_NAMES = re.compile(r"[^a-z0-9_]")
_TYPES = {
    "boolean": "boolean",
    "byte": "tinyint",
    "short": "smallint",
    "integer": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
    "binary": "binary",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp_ntz": "timestamp",
}
# What engines of Hive's kind are told; those that know Delta go by the parameters.
_FORMAT = {
    "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
}
_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"


@dataclass(frozen=True)
class CatalogChange:
    """What was, or would be, changed in the catalogue.

    Attributes:
        table: Database and name: `silver.orders`.
        change: What is done; `refused`: another owner has a table of that name.
        why: What is new.
    """

    table: str
    change: Literal["create", "update", "remove", "refused"]
    why: str


@dataclass(frozen=True)
class _Entry:
    """A table as it is to be in the catalogue."""

    database: str
    name: str
    definition: Mapping[str, Any]

    @property
    def full_name(self) -> str:
        return f"{self.database}.{self.name}"


def register_tables(settings: Settings) -> list[CatalogChange]:
    """Brings the catalogue in step with the lake.

    Raises:
        ConfigurationError: As `sync_catalog`, or another owner has a table of that name.
        ServiceUnavailable: AWS does not answer.
    """
    changes = sync_catalog(settings, dry_run=False)
    if refused := [f"{c.table}: {c.why}" for c in changes if c.change == "refused"]:
        raise ConfigurationError(
            f"the Glue Catalog has tables of other owners: {'; '.join(refused)}",
            hint="set LAKEHOUSE_CATALOG__PREFIX, so that this lake has databases of its own",
        )
    return changes


def sync_catalog(settings: Settings, *, dry_run: bool = True) -> list[CatalogChange]:
    """Brings the catalogue in step with the lake. Idempotent; two at once end with the same.

    Args:
        settings: The lake, and the prefix of the databases.
        dry_run: Only say what would be done.

    Raises:
        ConfigurationError: The lake is in a folder, two tables would have one name, or AWS refuses.
        ServiceUnavailable: AWS does not answer.
    """
    layout = LakeLayout.of(settings)
    if not is_remote(layout.root):
        raise ConfigurationError(
            f"the lake is in a folder, {layout.root}: nobody who reads the Glue Catalog could read it",
            hint="set LAKEHOUSE_LAKE__ROOT to an `s3://bucket/prefix`",
        )
    wanted: dict[tuple[str, str], _Entry] = {}
    for entry in _entries(layout, settings.catalog.prefix):
        if wanted.setdefault((entry.database, entry.name), entry) is not entry:
            raise ConfigurationError(
                f"two tables would be {entry.full_name} in the catalogue, which knows no upper case",
                hint="rename one of them, or leave it out of LAKEHOUSE_CDC__TABLES",
            )
    glue = _Glue(aws_client(settings.aws, "glue"), _owner(layout), dry_run=dry_run)
    return list(glue.sync(wanted))


class _Glue:
    """The catalogue, as far as it is ours."""

    def __init__(self, client: Any, owner: str, *, dry_run: bool) -> None:
        self._client = client
        self._owner = owner
        self._dry_run = dry_run

    def sync(self, wanted: Mapping[tuple[str, str], _Entry]) -> Iterator[CatalogChange]:
        for database in sorted({database for database, _ in wanted}):
            entries = [entry for (of, _), entry in sorted(wanted.items()) if of == database]
            there = self._tables(database)
            if there is None and not self._dry_run:
                self._create_database(database)
            for entry in entries:
                yield from self._bring(entry, (there or {}).get(entry.name))
            for name, table in sorted((there or {}).items()):
                if (database, name) not in wanted and self._is_ours(table):
                    yield CatalogChange(f"{database}.{name}", "remove", "the lake has no such table any more")
                    self._remove(database, name)

    def _bring(self, entry: _Entry, found: Mapping[str, Any] | None) -> Iterator[CatalogChange]:
        looked = [found]

        def attempt() -> CatalogChange | None:
            # Another run may have been faster: then it is looked at again.
            return self._try_to_bring(entry, looked.pop() if looked else self._table(entry))

        retrying = Retrying(
            retry=retry_if_exception_type(CommitConflict),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random(0, 0.5),
            reraise=True,
        )
        change = retrying(attempt)
        if change is not None:
            yield change

    def _try_to_bring(self, entry: _Entry, found: Mapping[str, Any] | None) -> CatalogChange | None:
        if found is None:
            self._write("create_table", DatabaseName=entry.database, TableInput=entry.definition)
            return CatalogChange(entry.full_name, "create", f"{len(_columns(entry.definition))} columns")
        if not self._is_ours(found):
            owner = found.get("Parameters", {}).get(_OWNER, "somebody else")
            return CatalogChange(entry.full_name, "refused", f"it belongs to {owner}")
        why = _difference(found, entry.definition)
        if not why:
            return None
        self._write("update_table", DatabaseName=entry.database, TableInput=entry.definition, SkipArchive=True)
        return CatalogChange(entry.full_name, "update", why)

    def _is_ours(self, table: Mapping[str, Any]) -> bool:
        return bool(table.get("Parameters", {}).get(_OWNER) == self._owner)

    def _tables(self, database: str) -> dict[str, Mapping[str, Any]] | None:
        """The tables of a database; None: there is no such database."""
        with aws_errors("the Glue Catalog"):
            try:
                pages = self._client.get_paginator("get_tables").paginate(DatabaseName=database)
                return {table["Name"]: table for page in pages for table in page["TableList"]}
            except ClientError as error:
                if error_code(error) == "EntityNotFoundException":
                    return None
                raise

    def _table(self, entry: _Entry) -> Mapping[str, Any] | None:
        with aws_errors("the Glue Catalog"):
            try:
                table: Mapping[str, Any] = self._client.get_table(DatabaseName=entry.database, Name=entry.name)["Table"]
            except ClientError as error:
                if error_code(error) == "EntityNotFoundException":
                    return None
                raise
            return table

    def _create_database(self, database: str) -> None:
        with aws_errors("the Glue Catalog"):
            try:
                self._client.create_database(DatabaseInput={"Name": database})
            except ClientError as error:
                if error_code(error) != "AlreadyExistsException":
                    raise

    def _remove(self, database: str, name: str) -> None:
        if self._dry_run:
            return
        with aws_errors("the Glue Catalog"):
            try:
                self._client.delete_table(DatabaseName=database, Name=name)
            except ClientError as error:
                if error_code(error) != "EntityNotFoundException":
                    raise

    def _write(self, operation: str, **arguments: Any) -> None:
        if self._dry_run:
            return
        with aws_errors("the Glue Catalog"):
            try:
                getattr(self._client, operation)(**arguments)
            except ClientError as error:
                if error_code(error) in ("AlreadyExistsException", "ConcurrentModificationException"):
                    raise CommitConflict("another run writes to the Glue Catalog") from error
                raise


def _entries(layout: LakeLayout, prefix: str) -> Iterator[_Entry]:
    """All tables of the lake that others may read."""
    owner = _owner(layout)
    places = [("bronze", f"{layout.source}_changes", layout.bronze)]
    for table, latest in latest_versions(layout).items():
        places.append(("silver", view_name(table), layout.silver(table)))
        if not latest.contract.key:
            places.append(("current", view_name(table), layout.current(table)))
    places += [(source, name, layout.load(source, name)) for source, name in loaded_tables(layout.root)]
    for database, name, uri in places:
        found = open_table(uri)
        if found is not None:
            yield _Entry(_name(prefix + database), _name(name), _definition(found, _name(name), uri, owner))


def _definition(table: DeltaTable, name: str, uri: str, owner: str) -> dict[str, Any]:
    """The table as Athena, EMR and Trino want to find a Delta table in the catalogue."""
    meta = table.metadata()
    ours = {key: value for key, value in meta.configuration.items() if key.startswith("lakehouse.")}
    parameters = {
        "EXTERNAL": "TRUE",
        "table_type": "DELTA",
        "spark.sql.sources.provider": "delta",
        "path": uri,
        **ours,
        _OWNER: owner,
    }
    columns = [
        {"Name": field.name.lower(), "Type": hive_type(field.type), "Comment": _comment(field.metadata)}
        for field in table.schema().fields
    ]
    serde = {"SerializationLibrary": _SERDE, "Parameters": {"path": uri, "serialization.format": "1"}}
    return {
        "Name": name,
        "Description": meta.description or "",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "StorageDescriptor": {"Columns": columns, "Location": uri, **_FORMAT, "SerdeInfo": serde},
    }


def hive_type(kind: Any) -> str:
    """Returns the name that Hive, and so the catalogue, has for a type of Delta."""
    if isinstance(kind, PrimitiveType):
        return _TYPES.get(kind.type, kind.type)  # `decimal(38,2)` is the same in both
    if isinstance(kind, ArrayType):
        return f"array<{hive_type(kind.element_type)}>"
    if isinstance(kind, MapType):
        return f"map<{hive_type(kind.key_type)},{hive_type(kind.value_type)}>"
    if isinstance(kind, StructType):
        return f"struct<{','.join(f'{field.name}:{hive_type(field.type)}' for field in kind.fields)}>"
    raise TypeError(f"{kind} is no type of Delta")


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What is to be changed, in words; empty: nothing."""
    before, after = _columns(found), _columns(wanted)
    added, gone = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    altered = sorted(name for name in after.keys() & before.keys() if after[name] != before[name])
    parts = [
        f"{what} {', '.join(names)}" for what, names in (("new", added), ("gone", gone), ("changed", altered)) if names
    ]
    if not parts and [*before] != [*after]:
        parts.append("the order of columns")
    if found.get("Description", "") != wanted["Description"]:
        parts.append("the description")
    stored = found.get("Parameters", {})
    parts += [key for key, value in wanted["Parameters"].items() if stored.get(key) != value]
    if found["StorageDescriptor"].get("Location") != wanted["StorageDescriptor"]["Location"]:
        parts.append("the location")
    return ", ".join(parts)


def _columns(table: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    columns = table["StorageDescriptor"]["Columns"]
    return {column["Name"]: (column["Type"], column.get("Comment", "")) for column in columns}


def _comment(metadata: Mapping[str, Any]) -> str:
    """What people wrote, and the type at the source; the catalogue takes one line of 255 characters."""
    source, said = metadata.get("pg_type"), metadata.get("comment")
    text = " ".join(" ".join(filter(None, (said, f"[{source}]" if source else ""))).split())
    return text if len(text) <= _LONGEST_COMMENT else f"{text[: _LONGEST_COMMENT - 1]}…"


def _owner(layout: LakeLayout) -> str:
    return json.dumps({"root": layout.root, "source": layout.source})


def _name(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name.lower())
