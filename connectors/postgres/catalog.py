"""What PostgreSQL's catalogue says about the tables that are captured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.postgres.connection import Connection
from connectors.postgres.contracts import ColumnContract, ReplicaIdentity, TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.patterns import select

_IDENTITIES: dict[str, ReplicaIdentity] = {"d": "default", "n": "nothing", "f": "full", "i": "index"}
_PRECISE_TYPES = ("time", "timetz", "timestamp", "timestamptz", "bit")
# PostgreSQL moves no value out of line that takes no more than 24 bytes, 8 of which a bit string needs for itself.
_INLINE_BITS = 128
PUBLISHES_GENERATED_COLUMNS = 180000

# A partitioned table stands for its partitions; tables of extensions belong to the extension.
_TABLES = """
    SELECT n.nspname, c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend d
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""

# `base` walks from a domain to what it is made of; its innermost row has the type that travels.
# A key that is checked at commit is none: until then two rows may share it.
# A type keeps its bare name if PostgreSQL or an extension brought it: a type of the user's own
# may be called `date` and must not be taken for PostgreSQL's.
_COLUMNS = """
    WITH RECURSIVE wanted AS (
        SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.relowner
        FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS w(schema, name)
        JOIN pg_namespace n ON n.nspname = w.schema
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
    ), base AS (
        SELECT a.attrelid, a.attnum, a.atttypid AS type, a.atttypmod AS modifier, 0 AS depth
        FROM wanted JOIN pg_attribute a ON a.attrelid = wanted.oid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT b.attrelid, b.attnum, t.typbasetype, t.typtypmod, b.depth + 1
        FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd'
    ), named AS (
        SELECT t.oid, CASE
            WHEN t.typtype = 'e' THEN 'enum'
            WHEN t.typtype = 'c' THEN 'composite'
            WHEN t.typnamespace = 'pg_catalog'::regnamespace OR EXISTS (
                SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
            ) THEN t.typname::text
            WHEN t.typtype = 'r' THEN 'range'
            WHEN t.typtype = 'm' THEN 'multirange'
            ELSE n.nspname || '.' || t.typname END AS name
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    ), columns AS (
        SELECT DISTINCT ON (b.attrelid, b.attnum) b.attrelid, b.attnum, b.modifier, b.depth > 0 AS domain,
               CASE WHEN element.oid IS NULL THEN own.name ELSE '_' || element_name.name END AS type_name
        FROM base b
        JOIN pg_type t ON t.oid = b.type
        JOIN named own ON own.oid = t.oid
        LEFT JOIN pg_type element ON element.oid = t.typelem AND element.typarray = t.oid
        LEFT JOIN named element_name ON element_name.oid = element.oid
        ORDER BY b.attrelid, b.attnum, b.depth DESC
    ), members AS (
        -- What is updated is a table or a partition, so each of them must have an identity.
        SELECT w.oid AS root, m.relreplident, m.oid
        FROM wanted w
        CROSS JOIN LATERAL (SELECT relid FROM pg_partition_tree(w.oid)
                            WHERE isleaf UNION SELECT w.oid) p(relid)
        JOIN pg_class m ON m.oid = p.relid
    )
    SELECT w.nspname, w.relname, w.oid::bigint, w.relreplident,
           (SELECT bool_and(CASE m.relreplident
                WHEN 'f' THEN true
                WHEN 'n' THEN false
                ELSE EXISTS (SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisvalid AND i.indimmediate
                             AND CASE m.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END)
                END AND m.relreplident = w.relreplident)
            FROM members m WHERE m.root = w.oid) AS identified,
           w.relkind = 'p' AS partitioned,
           EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = w.oid AND w.relkind = 'r') AS has_children,
           has_schema_privilege(w.nspname, 'USAGE') AND has_table_privilege(w.oid, 'SELECT') AS readable,
           pg_has_role(w.relowner, 'USAGE') AS owned,
           row_security_active(w.oid) AS filtered,
           ARRAY(SELECT k.attname::text
                 FROM pg_index i
                 CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS u(attnum, at)
                 JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = u.attnum
                 WHERE i.indrelid = w.oid AND u.at <= i.indnkeyatts AND i.indimmediate
                   AND CASE WHEN w.relreplident = 'i' THEN i.indisreplident ELSE i.indisprimary END
                 ORDER BY u.at) AS key,
           a.attname, a.attnum, a.attnotnull, a.attstorage, a.attgenerated, a.attndims, c.type_name, c.modifier,
           c.domain, a.atthasdef AND a.attgenerated = '' AND NOT a.attnotnull AS defaulted,
           -- A constant default of an added column stands in the catalogue, not in the rows from before.
           CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END AS fill,
           a.atthasmissing OR NOT (a.atthasdef OR a.attidentity <> '') AS fill_known
    FROM wanted w
    LEFT JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN columns c ON c.attrelid = a.attrelid AND c.attnum = a.attnum
    ORDER BY w.nspname, w.relname, a.attnum
"""


@dataclass(frozen=True)
class CatalogTable:
    """A table with what its readiness depends on.

    Attributes:
        contract: Columns, key and types.
        identified: Updates and deletes can be published; if false, publishing the table would make them fail.
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
    identified: bool
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
    return select(patterns, (TableName(*row) for row in connection.execute(_TABLES)))


def read_tables(connection: Connection, tables: Iterable[TableName]) -> list[CatalogTable]:
    """Reads contracts and readiness of tables in one query, sorted by name."""
    wanted = list(tables)
    cursor = connection.execute(
        _COLUMNS, {"schemas": [table.schema for table in wanted], "names": [table.name for table in wanted]}
    )
    names = [column.name for column in cursor.description or ()]
    rows: dict[TableName, list[dict[str, Any]]] = {}
    for row in cursor:
        facts = dict(zip(names, row, strict=True))
        rows.setdefault(TableName(facts["nspname"], facts["relname"]), []).append(facts)
    publishes_generated = connection.info.server_version >= PUBLISHES_GENERATED_COLUMNS
    return [_table(name, columns, publishes_generated=publishes_generated) for name, columns in rows.items()]


def read_contracts(connection: Connection, tables: Iterable[TableName]) -> list[TableContract]:
    """Reads the contracts of tables, sorted by name."""
    return [table.contract for table in read_tables(connection, tables)]


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
    )
    return CatalogTable(
        contract=contract,
        identified=head["identified"],
        partitioned=head["partitioned"],
        has_children=head["has_children"],
        readable=head["readable"],
        owned=head["owned"],
        filtered=head["filtered"],
        unpublished=tuple(row["attname"] for row in columns if row["attgenerated"] not in travelling),
        nested=tuple(row["attname"] for row in columns if row["attndims"] > 1),
        defaulted=tuple(row["attname"] for row in columns if row["defaulted"]),
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
        fill=row["fill"],
        fill_known=row["fill_known"],
    )
