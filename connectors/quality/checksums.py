"""The SQL of checksums for one side of a comparison, PostgreSQL's or DuckDB's.

Each row becomes one md5 over the canonical text of all its columns, in the order of their names, and belongs
to a bucket by the md5 of its key. A bucket is summed up as the number of its rows and the exact sum of 60 bits
of their md5. In a table without a primary key, a row is its own key, and equal rows are counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import quote_identifier
from connectors.quality.canonical import canonical, quoted

SAMPLE_CHARACTERS = 60


@dataclass(frozen=True)
class _Dialect:
    """What the two engines say differently; `{}` is the operand."""

    joined: str
    md5: str
    digest: str
    list: str
    order: str


_POSTGRES = _Dialect(
    joined="array_to_string(ARRAY[{}], ',')",
    md5="md5(convert_to({}, 'UTF8'))",
    digest="('x' || left({}, 15))::bit(60)::bigint",
    list="ARRAY[{}]",
    order='{} COLLATE "C"',
)
_DUCKDB = _Dialect(
    joined="concat_ws(',', {})",
    md5="md5({})",
    digest="('0x' || left({}, 15))::BIGINT",
    list="[{}]",
    order="{}",
)


@dataclass(frozen=True)
class Checksums:
    """Statements over one side.

    Attributes:
        relation: What to read, for a FROM clause.
        texts: Canonical text of each column, quoted, by column in the order of names.
        key: Columns that identify a row; empty: none do.
        labels: What names a row to a reader: a text per key column, or a sample of the whole row.
        dialect: The engine's.
    """

    relation: str
    texts: Mapping[str, str]
    key: tuple[str, ...]
    labels: tuple[str, ...]
    dialect: _Dialect

    def row_count(self) -> str:
        """Statement for the number of rows."""
        return f"SELECT count(*) FROM {self.relation} AS r"

    def buckets(self, count: int) -> str:
        """Statement for (bucket, rows, sum of digests) of every bucket."""
        return f"SELECT {self._bucket(count)}, count(*), sum(digest) FROM ({self._hashed()}) AS hashed GROUP BY 1"

    def rows(self, count: int, buckets: Iterable[int]) -> str:
        """Statement for (match, rows, sum of digests, label) of every key in some buckets, in the order of `match`."""
        chosen = ", ".join(map(str, sorted(buckets)))
        label = self.dialect.list.format(", ".join(self.labels))
        return (
            f"SELECT match, count(*), sum(digest), min(label) FROM ({self._hashed(f'{label} AS label')})"
            f" AS hashed WHERE {self._bucket(count)} IN ({chosen}) GROUP BY match"
            f" ORDER BY {self.dialect.order.format('match')}"
        )

    def columns(self, matches: Iterable[str]) -> str:
        """Statement for (match, md5 of each column in the order of names) of some keys."""
        chosen = ", ".join(f"'{match}'" for match in matches)
        digests = self.dialect.list.format(", ".join(self.dialect.md5.format(text) for text in self.texts.values()))
        return (
            f"SELECT match, digests FROM ({self._hashed(f'{digests} AS digests')}) AS hashed WHERE match IN ({chosen})"
        )

    def _hashed(self, *more: str) -> str:
        row = self._joined(tuple(self.texts))
        match = self.dialect.md5.format(self._joined(self.key)) if self.key else self.dialect.md5.format(row)
        digest = self.dialect.digest.format(self.dialect.md5.format(row))
        names = (f"{match} AS match", f"{digest} AS digest", *more)
        return f"SELECT {', '.join(names)} FROM {self.relation} AS r"

    def _bucket(self, count: int) -> str:
        return f"{self.dialect.digest.format('match')} % {count}"

    def _joined(self, columns: Sequence[str]) -> str:
        return self.dialect.joined.format(", ".join(self.texts[column] for column in columns))


def source_checksums(contract: TableContract) -> Checksums:
    """The statements over the source table, for PostgreSQL."""
    texts = {
        column.name: quoted(canonical(column).postgres.format(f"r.{quote_identifier(column.name)}"))
        for column in sorted(contract.columns, key=lambda column: column.name)
    }
    row = _POSTGRES.joined.format(", ".join(texts.values()))
    return Checksums(
        relation=contract.table.quoted,
        texts=texts,
        key=contract.key,
        labels=tuple(f"r.{quote_identifier(name)}::text" for name in contract.key) or (_sample(row),),
        dialect=_POSTGRES,
    )


def silver_checksums(contract: TableContract, *, relation: str, stored: Mapping[str, str]) -> Checksums:
    """The statements over the silver table, for DuckDB.

    Args:
        contract: The source table's.
        relation: What to read: the current rows.
        stored: DuckDB's type of every column of the relation, by name.
    """
    texts = {}
    for column in sorted(contract.columns, key=lambda column: column.name):
        rule, name = canonical(column), f"r.{quote_identifier(column.name)}"
        found = stored.get(column.name)
        if found is None:  # the column came to the source later: no row can have a value
            text = "NULL::VARCHAR"
        elif found == rule.stored:
            text = rule.duckdb.format(name)
        else:  # not what should be there: its text shows it, without failing
            text = f"{name}::VARCHAR"
        texts[column.name] = quoted(text)
    row = _DUCKDB.joined.format(", ".join(texts.values()))
    labels = tuple(f"r.{quote_identifier(n)}::VARCHAR" if n in stored else "NULL::VARCHAR" for n in contract.key)
    return Checksums(
        relation=relation,
        texts=texts,
        key=contract.key,
        labels=labels or (_sample(row),),
        dialect=_DUCKDB,
    )


def _sample(row: str) -> str:
    return f"left({row}, {SAMPLE_CHARACTERS})"
