"""Table contracts: the columns, key and types of a captured table, as the catalogue has them."""

from typing import Literal

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
        number: `pg_attribute.attnum`: a renamed column keeps it, one that is made anew gets another.
        fill: What rows that were there before the column hold, as PostgreSQL writes it; None: NULL.
        fill_known: False where each of those rows got a value of its own.
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


class TableContract(BaseModel):
    """One table.

    Attributes:
        schema_name: Schema of the table.
        table_name: Name of the table.
        columns: In catalogue order, without dropped and generated ones that are not published.
        key: Names of the columns that identify a row in the stream, in key order; empty: none.
        replica_identity: What an update or delete says of the old row.
        oid: `pg_class.oid`: a table that is made anew gets another.
    """

    model_config = ConfigDict(frozen=True)

    schema_name: str
    table_name: str
    columns: tuple[ColumnContract, ...]
    key: tuple[str, ...]
    replica_identity: ReplicaIdentity = "default"
    oid: int = 0

    @property
    def table(self) -> TableName:
        """The table's name."""
        return TableName(self.schema_name, self.table_name)
