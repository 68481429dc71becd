"""Table contracts: the columns, key and types of a captured table, as the catalogue has them."""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from connectors.postgres.identifiers import TableName

ReplicaIdentity = Literal["default", "nothing", "full", "index"]


class ColumnContract(BaseModel):
    """One column.

    Attributes:
        name: As the catalogue has it, unquoted.
        type_name: Type without modifiers: `pg_type.typname` (`int4`, `numeric`, `_text` for `text[]`);
            of a domain, its base type; `enum` for every enum, likewise `composite`, and `range` and `multirange`
            for those that are not PostgreSQL's own.
        domain: Whether it is declared as a domain over that type.
        precision: Digits of a `numeric(p, s)`, fractional digits of a time or timestamp, length of a `bit(n)`;
            None if undeclared.
        scale: Scale of a `numeric(p, s)`; None if undeclared.
        nullable: False where the column is declared NOT NULL.
        toastable: Whether a value may be stored out of line, so that an update can arrive without it.
        number: `pg_attribute.attnum`: a renamed column keeps it, one that is recreated gets another.
        fill: What rows that were there before the column hold, as PostgreSQL writes it; None: NULL.
        fill_known: False where partitions have different ones.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    type_name: str
    domain: bool = False
    precision: int | None = None
    scale: int | None = None
    nullable: bool = True
    toastable: bool = False
    number: int = 0
    fill: str | None = None
    fill_known: bool = True


class Member(NamedTuple):
    """A table, or one of its partitions.

    Attributes:
        oid: `pg_class.oid`.
        file: `pg_class.relfilenode`: one that is rewritten gets another.
        identity: `pg_class.relreplident`.
        attached: `xmin` in `pg_inherits`; 0 of the table itself.
        born: It was made as what it is, `PARTITION OF`, and so was empty; False: it may have been attached.
    """

    oid: int
    file: int
    identity: str
    attached: int
    born: bool = True


class Fingerprint(BaseModel):
    """What else the catalogue says that a table's values, or its way into the stream, depend on.

    Each number is the `xmin` of a row of the catalogue: it is another one after any change of that row, also after one
    that was undone.

    Attributes:
        row_type: The row in `pg_type` of the type of the table's rows: whoever renames or moves the table changes it,
            and who alters it otherwise does not.
        width: How many columns the table ever had.
        indexes: Rows in `pg_index` of the indexes that can be the replica identity, by oid.
        members: The table and its partitions.
        columns: Rows in `pg_attribute`, by number of the column.
        modifiers: `atttypmod`, by number of the column.
        defaults: Rows in `pg_attrdef`, by number of the column; of a generated column, its expression.
        types: The labels of the enums and the attributes of the composite types that the table uses, each with the
            `xmin` of its row; by `oid/typtype`.
        publication: `oid/xmin` of the publication and of the table's row in it; empty: it is not in it.
    """

    model_config = ConfigDict(frozen=True)

    row_type: int
    width: int
    indexes: dict[int, int]
    members: tuple[Member, ...]
    columns: dict[int, int]
    modifiers: dict[int, int]
    defaults: dict[int, int]
    types: dict[str, tuple[str, ...]]
    publication: str


class TableContract(BaseModel):
    """One table.

    Attributes:
        schema_name: Schema of the table.
        table_name: Name of the table.
        columns: In catalogue order, without dropped and generated ones that are not published.
        key: Names of the columns that identify a row in the stream, in key order; empty: none.
        replica_identity: What an update or delete says of the old row.
        oid: `pg_class.oid`: a table that is recreated gets another.
        fingerprint: What else the catalogue says; None: it was recorded by a release that did not ask.
        captured: False once capturing of the table was ended; what the lake has of it stays.
    """

    model_config = ConfigDict(frozen=True)

    schema_name: str
    table_name: str
    columns: tuple[ColumnContract, ...]
    key: tuple[str, ...]
    replica_identity: ReplicaIdentity = "default"
    oid: int = 0
    fingerprint: Fingerprint | None = None
    captured: bool = True

    @property
    def table(self) -> TableName:
        """The table's name."""
        return TableName(self.schema_name, self.table_name)
