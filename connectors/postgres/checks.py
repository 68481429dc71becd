"""The preflight check of a database: blockers and warnings, each with its fix."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connectors.errors import SourceNotReady
from connectors.postgres.catalog import CatalogTable
from connectors.postgres.catalog_queries import TABLES
from connectors.postgres.connection import Connection
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.postgres.patterns import is_exception, matches
from connectors.postgres.replication import SlotState
from connectors.postgres.types import refusal_of, sql_name

Severity = Literal["blocker", "warning", "note"]

OLDEST_VERSION = 140000
RESERVED_PREFIX = "_cdc_"
# What the address of a database reads as something else.
_IN_ADDRESS = frozenset("%+?")
_SENDER_TIMEOUT_MS = 20_000
_BESIDES = " -- "
_COMMAND = "lakehouse "
_EVERY = "*.*"
_STATEMENT = re.compile(r"(ALTER|CREATE|DROP|GRANT|ROLLBACK|SELECT) ")
EXCLUDE = "leave the table out of LAKEHOUSE_CDC__TABLES"
"""What can be done about a table that can't be captured."""

_SERVER = """
    SELECT current_setting('server_version_num')::int AS version,
           current_setting('server_version') AS version_text,
           current_setting('wal_level') AS wal_level,
           pg_is_in_recovery() AS standby,
           current_setting('max_replication_slots')::int
               - (SELECT count(*) FROM pg_replication_slots)::int AS free_slots,
           current_setting('max_replication_slots')::int AS max_slots,
           current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication)::int AS free_senders,
           current_setting('max_wal_senders')::int AS max_senders,
           current_setting('max_slot_wal_keep_size') AS keep_size,
           (SELECT setting::int FROM pg_settings WHERE name = 'wal_sender_timeout') AS sender_timeout,
           pg_encoding_to_char((SELECT encoding FROM pg_database WHERE datname = current_database())) AS encoding,
           current_user AS role, current_database() AS database,
           (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user)
               OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication'
                          AND pg_has_role(current_user, oid, 'MEMBER')) AS replicates,
           has_database_privilege(current_database(), 'CREATE') AS creates
"""


@dataclass(frozen=True)
class Finding:
    """Something that the preflight check found.

    Attributes:
        severity: A blocker keeps the source from being registered; a warning does not; a note says what is left out.
        subject: What it is about: a table, a column, a setting.
        problem: What is wrong, and what would happen.
        fix: SQL, a command of ours, or words; behind ` -- ` what else there is to do, or to do instead.
    """

    severity: Severity
    subject: str
    problem: str
    fix: str

    @property
    def sql(self) -> str:
        """The SQL of the fix; with `...` where a value is to be chosen; empty if it is none."""
        first, _, _ = self.fix.partition(_BESIDES)
        return first if _STATEMENT.match(first) else ""

    @property
    def command(self) -> str:
        """The command of the fix; empty if it is none."""
        first, _, _ = self.fix.partition(_BESIDES)
        return first if first.startswith(_COMMAND) else ""

    @property
    def advice(self) -> str:
        """What the fix says besides SQL or a command, or instead."""
        _, _, rest = self.fix.partition(_BESIDES)
        return rest if self.sql or self.command else self.fix

    def as_facts(self) -> dict[str, str]:
        """All of it, for programs: the fix in its parts."""
        return {
            "severity": self.severity,
            "subject": self.subject,
            "problem": self.problem,
            "sql": self.sql,
            "command": self.command,
            "advice": self.advice,
        }


def check_server(connection: Connection, slot: SlotState | None) -> list[Finding]:
    """Checks the server and the user; `slot` is the source's own, if it has one already."""
    cursor = connection.execute(_SERVER)
    names = [column.name for column in cursor.description or ()]
    facts = dict(zip(names, cursor.fetchone() or (), strict=True))
    return [*_server_findings(facts), *_capacity_findings(facts, slot), *_role_findings(facts)]


def _server_findings(facts: dict[str, Any]) -> list[Finding]:
    findings = []
    if facts["version"] < OLDEST_VERSION:
        problem = f"is {facts['version_text']}, which does not put messages into its change stream; 14 does"
        findings.append(Finding("blocker", "server version", problem, "upgrade the server to PostgreSQL 14 or newer"))
    if facts["wal_level"] != "logical":
        fix = "ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server"
        problem = f"is {facts['wal_level']!r}: the log does not hold row changes"
        findings.append(Finding("blocker", "wal_level", problem, fix))
    if facts["standby"]:
        problem = "is a standby, where no publication can be made"
        findings.append(Finding("blocker", "server", problem, "point LAKEHOUSE_POSTGRES__HOST at the primary"))
    if facts["encoding"] == "SQL_ASCII":
        problem = "has the encoding SQL_ASCII: nobody knows what characters its bytes are, and Debezium stops at some"
        fix = "restore a dump of it into a database made with ENCODING 'UTF8'"
        findings.append(Finding("blocker", f"database {facts['database']}", problem, fix))
    if unusable := _IN_ADDRESS & set(facts["database"]):
        problem = (
            f"has {' '.join(sorted(unusable))} in its name: Debezium would log into another database, or into none"
        )
        fix = f"ALTER DATABASE {quote_identifier(facts['database'])} RENAME TO ...;"
        findings.append(Finding("blocker", f"database {facts['database']}", problem, fix))
    if 0 < facts["sender_timeout"] < _SENDER_TIMEOUT_MS:
        role = quote_identifier(facts["role"])
        problem = f"is {facts['sender_timeout']} ms: the connector reports every 10 s, and would be cut off before"
        fix = f"ALTER ROLE {role} SET wal_sender_timeout = '60s';"
        findings.append(Finding("warning", "wal_sender_timeout", problem, fix))
    return findings


def _capacity_findings(facts: dict[str, Any], slot: SlotState | None) -> list[Finding]:
    findings = []
    if slot is None and facts["free_slots"] < 1:
        fix = f"ALTER SYSTEM SET max_replication_slots = {facts['max_slots'] + 5}; -- then restart the server"
        problem = f"is {facts['max_slots']}, all slots are taken, and one more is needed"
        findings.append(Finding("blocker", "max_replication_slots", problem, fix))
    if (slot is None or not slot.active) and facts["free_senders"] < 1:
        fix = f"ALTER SYSTEM SET max_wal_senders = {facts['max_senders'] + 5}; -- then restart the server"
        problem = f"is {facts['max_senders']}, all senders are busy, and one more is needed"
        findings.append(Finding("blocker", "max_wal_senders", problem, fix))
    if slot is not None and slot.wal_status == "lost":
        problem = "has lost log that it still needed: the server removed it, and with it changes"
        fix = "lakehouse source remove --yes, then lakehouse source register: the tables are snapshotted again"
        findings.append(Finding("blocker", "replication slot", problem, fix))
    if facts["keep_size"] == "-1":
        fix = "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();"
        problem = "is unlimited: while nothing reads, the log can fill the server's disk"
        findings.append(Finding("warning", "max_slot_wal_keep_size", problem, fix))
    return findings


def _role_findings(facts: dict[str, Any]) -> list[Finding]:
    role = quote_identifier(facts["role"])
    findings = []
    if not facts["replicates"]:
        problem = "may not replicate"
        findings.append(Finding("blocker", f"user {facts['role']}", problem, f"ALTER ROLE {role} REPLICATION;"))
    if not facts["creates"]:
        problem = f"may not create a publication in database {facts['database']}"
        fix = f"GRANT CREATE ON DATABASE {quote_identifier(facts['database'])} TO {role};"
        findings.append(Finding("blocker", f"user {facts['role']}", problem, fix))
    return findings


def require_ready(findings: list[Finding]) -> None:
    """Does nothing if there are only warnings.

    Raises:
        SourceNotReady: There are blockers; it lists them with their fixes.
    """
    blockers = [finding for finding in findings if finding.severity == "blocker"]
    if blockers:
        listed = "\n".join(f"  {found.subject} {found.problem}\n    fix: {found.fix}" for found in blockers)
        raise SourceNotReady(
            f"the source is not ready, nothing was changed:\n{listed}",
            hint="apply the fixes, then run `lakehouse source check` again",
            findings=findings,
        )


def check_publication(narrowed: Mapping[TableName, str]) -> list[Finding]:
    """Checks that the source's publication publishes its tables whole; see `replication.narrowed_tables`."""
    fix = "lakehouse source register -- it publishes the table whole, and reads its rows again"
    return [
        Finding("warning", str(table), f"is published without {omitted}: such changes are missed", fix)
        for table, omitted in sorted(narrowed.items())
        if omitted
    ]


def check_patterns(patterns: Sequence[str], tables: Sequence[TableName]) -> list[Finding]:
    """Checks that every pattern means at least one of the tables that can be captured."""
    fix = "correct LAKEHOUSE_CDC__TABLES; letter case counts, and a name with a dot in it is quoted"
    if not tables and _EVERY in patterns:
        fix = (
            "create tables, or set LAKEHOUSE_POSTGRES__DATABASE; `lakehouse generate shop` makes a shop to try it with"
        )
    problem = "matches no table; views, foreign, unlogged and temporary tables and single partitions can't be captured"
    return [
        Finding("blocker", pattern, problem, fix)
        for pattern in patterns
        if not is_exception(pattern) and not any(matches(pattern, table) for table in tables)
    ]


def left_out(connection: Connection, patterns: Sequence[str], captured: Iterable[TableName]) -> list[Finding]:
    """Says of every other table of the database why it is not captured."""
    chosen = frozenset(captured)
    found = []
    for schema, name, why in connection.execute(TABLES):
        table = TableName(schema, name)
        if table in chosen:
            continue
        meant = any(matches(pattern, table) for pattern in patterns if not is_exception(pattern))
        reason = why or ("a pattern with `!` excludes it" if meant else "no pattern means it")
        advice = "nothing can be done about it here" if why else "change LAKEHOUSE_CDC__TABLES to capture it"
        found.append(Finding("note", str(table), f"is left out: {reason}", advice))
    return found


def check_tables(tables: Iterable[CatalogTable], *, role: str, published: Iterable[TableName] = ()) -> list[Finding]:
    """Checks tables that are to be captured.

    Args:
        tables: What the catalogue says of them.
        role: The user that captures.
        published: Tables that are in the source's publication already, so that owning them is not needed.
    """
    known = frozenset(published)
    return [
        finding
        for table in tables
        for finding in (
            *identity_findings(table),
            *_access_findings(table, quote_identifier(role), published=table.contract.table in known),
            *_column_findings(table),
        )
    ]


def identity_findings(table: CatalogTable) -> list[Finding]:
    """Checks that updates and deletes say which row they are of."""
    contract, name = table.contract, str(table.contract.table)
    findings = []
    if contract.table in table.unidentified:
        fix = f"ALTER TABLE {contract.table.quoted} ADD PRIMARY KEY (...);"
        if contract.replica_identity == "nothing" and contract.key:
            fix = f"ALTER TABLE {contract.table.quoted} REPLICA IDENTITY DEFAULT;"
        else:
            fix += f" -- or: ALTER TABLE {contract.table.quoted} REPLICA IDENTITY FULL;"
        problem = "has no replica identity: once published, your own UPDATE and DELETE on it would fail"
        findings.append(Finding("blocker", name, problem, fix))
    else:
        findings += [_partition_finding(contract, partition) for partition in table.unidentified]
    unpublished = [column for column in contract.key if column in table.unpublished]
    if unpublished:
        problem = f"has generated columns in its key that do not travel ({', '.join(unpublished)})"
        fix = f"ALTER TABLE {contract.table.quoted} REPLICA IDENTITY FULL; -- after dropping that key"
        findings.append(Finding("blocker", name, problem, fix))
    elif contract.replica_identity == "full" and table.unpublished:
        columns = ", ".join(table.unpublished)
        problem = (
            f"has full replica identity, and generated columns that do not travel ({columns}): once published, your "
            "own UPDATE and DELETE on it would fail"
        )
        fix = f"ALTER TABLE {contract.table.quoted} REPLICA IDENTITY DEFAULT; -- it needs a primary key for that"
        findings.append(Finding("blocker", name, problem, fix))
    if table.partitioned:
        problem = "is partitioned: TRUNCATE, ATTACH, DETACH and DROP of a single partition are not published"
        fix = f"lakehouse resync {name} -- after each of them"
        findings.append(Finding("warning", name, problem, fix))
    if table.has_children:
        problem = "is inherited from: reading it would read the rows of other tables too"
        findings.append(Finding("blocker", name, problem, "leave it out of LAKEHOUSE_CDC__TABLES"))
    return findings


def _partition_finding(contract: TableContract, partition: TableName) -> Finding:
    wanted = contract.replica_identity.upper()
    problem = (
        f"is a partition of {contract.table}, and has not its replica identity, {wanted}: once published, your own "
        "UPDATE and DELETE on it would fail, or name rows otherwise"
    )
    identity = "USING INDEX ..." if contract.replica_identity == "index" else wanted
    return Finding("blocker", str(partition), problem, f"ALTER TABLE {partition.quoted} REPLICA IDENTITY {identity};")


def _access_findings(table: CatalogTable, role: str, *, published: bool) -> list[Finding]:
    quoted, name = table.contract.table.quoted, str(table.contract.table)
    findings = []
    if not table.readable:
        schema = quote_identifier(table.contract.schema_name)
        fix = f"GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {quoted} TO {role};"
        findings.append(Finding("blocker", name, "can't be read by the user", fix))
    if not table.owned and not published:
        problem = "belongs to somebody else: only its owner can put it into a publication"
        findings.append(Finding("blocker", name, problem, f"ALTER TABLE {quoted} OWNER TO {role};"))
    return [*findings, *row_security_findings(table, role)]


def row_security_findings(table: CatalogTable, role: str) -> list[Finding]:
    """Checks that the user sees all rows of the table."""
    if not table.filtered:
        return []
    problem = "has row-level security that hides rows from the user"
    return [Finding("blocker", str(table.contract.table), problem, f"ALTER ROLE {role} BYPASSRLS;")]


def twin_findings(table: CatalogTable) -> list[Finding]:
    """Checks that columns differ in more than letter case."""
    findings: list[Finding] = []
    seen: dict[str, str] = {}
    for column in table.contract.columns:
        twin = seen.setdefault(column.name.lower(), column.name)
        if twin != column.name:
            name = f"{table.contract.table}.{column.name}"
            problem = f"differs from {twin!r} only in letter case: Debezium stops, and readers can't distinguish them"
            findings.append(Finding("blocker", name, problem, _renaming(table, column)))
    return findings


def _renaming(table: CatalogTable, column: ColumnContract) -> str:
    rename = f"ALTER TABLE {table.contract.table.quoted} RENAME COLUMN {quote_identifier(column.name)} TO ...;"
    return f"{rename} -- or {EXCLUDE}"


def _column_findings(table: CatalogTable) -> list[Finding]:
    findings: list[Finding] = twin_findings(table)
    quoted = table.contract.table.quoted
    for column in table.contract.columns:
        subject = f"{table.contract.table}.{column.name}"
        refusal = refusal_of(column)
        if refusal is not None:
            problem = f"is of type {sql_name(column.type_name)}, which is not captured: {refusal.why}"
            change = f"ALTER TABLE {quoted} ALTER COLUMN {quote_identifier(column.name)} TYPE text; -- or "
            findings.append(Finding("blocker", subject, problem, change + EXCLUDE))
        if column.name.startswith(RESERVED_PREFIX):
            problem = f"begins with {RESERVED_PREFIX}, as the columns do that the lake adds"
            findings.append(Finding("blocker", subject, problem, _renaming(table, column)))
    for name in table.unpublished:
        problem = "is generated and does not travel: it will be missing in the lake"
        subject = f"{table.contract.table}.{name}"
        findings.append(Finding("warning", subject, problem, "compute it in a model of the marts"))
    return findings
