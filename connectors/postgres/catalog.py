"""Reads table contracts and their fingerprints from PostgreSQL's catalogue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.postgres.catalog_queries import COLUMNS, TABLES
from connectors.postgres.connection import Connection
from connectors.postgres.contracts import ColumnContract, Fingerprint, Member, ReplicaIdentity, TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.patterns import select

_IDENTITIES: dict[str, ReplicaIdentity] = {"d": "default", "n": "nothing", "f": "full", "i": "index"}
_PRECISE_TYPES = ("time", "timetz", "timestamp", "timestamptz", "bit")
# PostgreSQL moves no value out of line that takes no more than 24 bytes, 8 of which a bit string needs for itself.
_INLINE_BITS = 128
PUBLISHES_GENERATED_COLUMNS = 180000
# What `initdb` made has smaller ones.
_FIRST_OWN_OID = 16384


@dataclass(frozen=True)
class CatalogTable:
    """A table with what its readiness depends on.

    Attributes:
        contract: Columns, key and types.
        unidentified: The table and its partitions, those whose updates and deletes do not say which row they are of:
            published, they would fail, or name rows otherwise than the table does.
        partitioned: It stands for its partitions.
        has_children: Other tables inherit from it, so that reading it reads their rows too.
        readable: The user may read it.
        owned: The user may add it to a publication.
        filtered: Row-level security hides rows from the user.
        unpublished: Generated columns that do not travel.
        nested: Columns declared as arrays of more than one dimension.
        defaulted: Columns with a default that may be NULL all the same.
    """

    contract: TableContract
    unidentified: tuple[TableName, ...]
    partitioned: bool
    has_children: bool
    readable: bool
    owned: bool
    filtered: bool
    unpublished: tuple[str, ...]
    nested: tuple[str, ...]
    defaulted: tuple[str, ...]


def decode_modifier(type_name: str, modifier: int) -> tuple[int | None, int | None]:
    """Precision and scale from `atttypmod`; a scale may be negative."""
    if modifier < 0:
        return None, None
    if type_name == "numeric":
        packed = modifier - 4
        return (packed >> 16) & 0xFFFF, ((packed & 0x7FF) ^ 0x400) - 0x400
    return (modifier, None) if type_name in _PRECISE_TYPES else (None, None)


def list_tables(connection: Connection, patterns: Sequence[str] = ("*.*",)) -> list[TableName]:
    """Lists the tables that can be captured and that a pattern means, sorted.

    Views, foreign, temporary and unlogged tables are none of them, nor are single partitions
    (the partitioned table stands for them), system schemas and the tables of extensions.

    Raises:
        ConfigurationError: A pattern is not of the form `schema.table`.
    """
    return select(patterns, (TableName(*row) for *row, why in connection.execute(TABLES) if why is None))


def read_tables(
    connection: Connection, tables: Iterable[TableName], *, publication: str | None = None
) -> list[CatalogTable]:
    """Reads contracts and readiness of tables in one query, sorted by name.

    Args:
        connection: To the source.
        tables: Which tables; one that does not exist is skipped.
        publication: Name of the publication whose facts belong to a table's fingerprint.
    """
    wanted = list(tables)
    cursor = connection.execute(
        COLUMNS,
        {
            "schemas": [table.schema for table in wanted],
            "names": [table.name for table in wanted],
            "publication": publication,
            "first_oid": _FIRST_OWN_OID,
        },
    )
    names = [column.name for column in cursor.description or ()]
    rows: dict[TableName, list[dict[str, Any]]] = {}
    for row in cursor:
        facts = dict(zip(names, row, strict=True))
        rows.setdefault(TableName(facts["nspname"], facts["relname"]), []).append(facts)
    publishes_generated = connection.info.server_version >= PUBLISHES_GENERATED_COLUMNS
    return [_table(name, columns, publishes_generated=publishes_generated) for name, columns in rows.items()]


def find_renamed(connection: Connection, oids: Iterable[int]) -> dict[int, TableName]:
    """The names that tables have now, by `pg_class.oid`; one that is gone is skipped."""
    found = connection.execute(
        "SELECT c.oid::bigint, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = ANY(%s::oid[])",
        (list(oids),),
    )
    return {oid: TableName(schema, name) for oid, schema, name in found}


def read_contracts(
    connection: Connection, tables: Iterable[TableName], *, publication: str | None = None
) -> list[TableContract]:
    """Reads the contracts of tables, sorted by name; see `read_tables`."""
    return [table.contract for table in read_tables(connection, tables, publication=publication)]


def _table(name: TableName, rows: list[dict[str, Any]], *, publishes_generated: bool) -> CatalogTable:
    head = rows[0]
    columns = [row for row in rows if row["attname"] is not None]
    travelling = ("", "s") if publishes_generated else ("",)
    contract = TableContract(
        schema_name=name.schema,
        table_name=name.name,
        columns=tuple(_column(row) for row in columns if row["attgenerated"] in travelling),
        key=tuple(head["key"]),
        replica_identity=_IDENTITIES[head["relreplident"]],
        oid=head["oid"],
        fingerprint=_fingerprint(head, columns),
    )
    return CatalogTable(
        contract=contract,
        unidentified=tuple(TableName(*named) for named in head["unidentified"] or ()),
        partitioned=head["partitioned"],
        has_children=head["has_children"],
        readable=head["readable"],
        owned=head["owned"],
        filtered=head["filtered"],
        unpublished=tuple(row["attname"] for row in columns if row["attgenerated"] not in travelling),
        nested=tuple(row["attname"] for row in columns if row["attndims"] > 1),
        defaulted=tuple(row["attname"] for row in columns if row["defaulted"]),
    )


def _fingerprint(head: dict[str, Any], columns: list[dict[str, Any]]) -> Fingerprint:
    return Fingerprint(
        row_type=head["row_type"],
        width=head["relnatts"],
        indexes={int(oid): changed for oid, changed in (head["indexes"] or {}).items()},
        members=tuple(Member(*member) for member in head["members"]),
        columns={row["attnum"]: row["changed"] for row in columns},
        modifiers={row["attnum"]: row["atttypmod"] for row in columns},
        defaults={row["attnum"]: row["default"] for row in columns if row["default"] is not None},
        types={name: tuple(sorted(parts)) for name, parts in (head["types"] or {}).items()},
        publication=head["publication"] or "",
    )


def _column(row: dict[str, Any]) -> ColumnContract:
    precision, scale = decode_modifier(row["type_name"], row["modifier"])
    return ColumnContract(
        name=row["attname"],
        type_name=row["type_name"],
        domain=row["domain"],
        precision=precision,
        scale=scale,
        nullable=not row["attnotnull"],
        toastable=row["attstorage"] != "p" and not (row["type_name"] == "bit" and (precision or 0) <= _INLINE_BITS),
        number=row["attnum"],
        fill=row["fills"][0] if len(row["fills"]) == 1 else None,
        fill_known=len(row["fills"]) <= 1,
    )
