"""The connector's configuration, and names derived from the source's name."""

import re
from collections.abc import Iterable, Sequence

from connectors.errors import ConfigurationError
from connectors.postgres.catalog import CatalogTable
from connectors.postgres.connection import SESSION_LIMITS, TEXT_FORMATS
from connectors.postgres.contracts import TableContract
from connectors.postgres.identifiers import TableName, quote_identifier
from connectors.postgres.replication import MARKER_PREFIX
from connectors.settings import Settings

CONNECTOR_CLASS = "io.debezium.connector.postgresql.PostgresConnector"

EPOCH_HEADER = "lakehouse.epoch"
"""Header of every event: which slot epoch it comes from."""

AFTER_HEADER = "lakehouse.after"
"""Header of a row of a resync: LSN of the marker behind which it was read."""

HEARTBEAT_PREFIX = "lakehouse-heartbeat"
"""Prefix of the messages that move an idle slot on; kept apart from markers, they reach no topic."""

NULLS_AS_DEFAULTS = "value.converter.replace.null.with.default"
"""Option of the connector by which the NULL of a column that has a default would arrive as that default."""

LSN_DIGITS = 16
"""Length of the LSN at the end of the name of a connector that takes a snapshot of one table."""

_TABLES = "table.include.list"
_QUEUE_BYTES = 64 * 2**20
_SEND_BYTES = 32 * 2**20
_FETCH_ROWS = 200

_NOT_IN_TOPICS = re.compile(r"[^A-Za-z0-9._-]")
_PLAIN = re.compile(r"[A-Za-z0-9_]")


def connector_name(source: str) -> str:
    """Name of the connector."""
    return f"lakehouse-{source}"


def slot_name(source: str) -> str:
    """Name of the replication slot."""
    return f"lakehouse_{source}"


def publication_name(source: str) -> str:
    """Name of the publication."""
    return f"lakehouse_{source}"


def topic_name(source: str, table: TableName) -> str:
    """The topic that carries a table's changes; what Kafka allows in no name is `_`, twice where it is two in Java."""
    name = f"{source}.{table.schema}.{table.name}"
    return _NOT_IN_TOPICS.sub(lambda match: "_" * (len(match[0].encode("utf-16-le")) // 2), name)


def marker_topic(source: str) -> str:
    """The topic that carries markers."""
    return f"{source}.message"


def connector_config(
    settings: Settings,
    tables: Sequence[CatalogTable],
    *,
    epoch: int,
    placeholder: str,
) -> dict[str, str]:
    """The whole configuration, as Kafka Connect takes it. It holds the password: never print it.

    Args:
        settings: The database, the source's name and the cadence of heartbeats.
        tables: The tables to capture.
        epoch: The slot epoch, stamped on every event.
        placeholder: What stands for a value that an update did not change and PostgreSQL did not send.
    """
    source = settings.cdc.source
    return {
        "name": connector_name(source),
        "connector.class": CONNECTOR_CLASS,
        "tasks.max": "1",
        "topic.prefix": source,
        "topic.heartbeat.prefix": "__debezium-heartbeat",
        **_database(settings),
        **_capture(source, [table.contract for table in tables]),
        **_excluded(tables),
        **_snapshot_selects([table.contract for table in tables]),
        **_representation(placeholder),
        **_delivery(settings),
        "transforms": "epoch",
        "transforms.epoch.type": "org.apache.kafka.connect.transforms.InsertHeader",
        "transforms.epoch.header": EPOCH_HEADER,
        "transforms.epoch.value.literal": str(epoch),
    }


def reader_name(source: str, table: TableName, *, after: int) -> str:
    """Name of the connector that takes a snapshot of one table behind the marker at an LSN; no two are called alike."""
    return f"{reader_prefix(source)}{topic_name(source, table)}-{after:0{LSN_DIGITS}x}"


def reader_prefix(source: str) -> str:
    """What the names of a source's connectors that take a snapshot of one table begin with."""
    return f"{connector_name(source)}-reads-"


def snapshot_config(capturing: dict[str, str], source: str, table: TableName, *, after: int) -> dict[str, str]:
    """Returns the configuration of a connector that takes a snapshot of one table, without a slot.

    Args:
        capturing: The configuration for this table alone.
        source: Name of the source.
        table: The table.
        after: LSN of the marker behind which it is read.
    """
    name = reader_name(source, table, after=after)
    return {
        **capturing,
        "name": name,
        "snapshot.mode": "initial_only",
        # Connectors with the topics of one source would meet in their metrics, too.
        "custom.metric.tags": f"reader={name}",
        "transforms": "epoch,after",
        "transforms.after.type": "org.apache.kafka.connect.transforms.InsertHeader",
        "transforms.after.header": AFTER_HEADER,
        "transforms.after.value.literal": str(after),
    }


def without_table(config: dict[str, str], table: TableName) -> dict[str, str]:
    """Returns a configuration that does not capture a table."""
    kept = [entry for entry in config[_TABLES].split(",") if entry != _regex(*table)]
    return {**config, _TABLES: ",".join(kept)}


def _database(settings: Settings) -> dict[str, str]:
    postgres = settings.postgres
    if postgres.host is None:
        raise ConfigurationError("no PostgreSQL is configured", hint="set LAKEHOUSE_POSTGRES__HOST")
    password = {} if postgres.password is None else {"database.password": postgres.password.get_secret_value()}
    return {
        "database.hostname": postgres.host,
        "database.port": str(postgres.port),
        "database.user": postgres.user,
        "database.dbname": postgres.database,
        # Money would be written as the database's country does.
        "driver.options": f"{TEXT_FORMATS} {SESSION_LIMITS} -c lc_monetary=C",
        **password,
    }


def _capture(source: str, contracts: Sequence[TableContract]) -> dict[str, str]:
    return {
        "plugin.name": "pgoutput",
        "slot.name": slot_name(source),
        "slot.drop.on.stop": "false",
        # A killed worker's connection may hold the slot for some seconds more.
        "slot.max.retries": "60",
        "slot.retry.delay.ms": "1000",
        # A connection that was cut is made again after one second, not ten.
        "retriable.restart.connector.wait.ms": "1000",
        "publication.name": publication_name(source),
        "publication.autocreate.mode": "disabled",
        "snapshot.mode": "initial",
        _TABLES: ",".join(_regex(c.schema_name, c.table_name) for c in contracts),
        "message.prefix.include.list": f"(?-i){MARKER_PREFIX}",
        "skipped.operations": "none",
        "tombstones.on.delete": "true",
        **_message_keys(contracts),
    }


def _representation(placeholder: str) -> dict[str, str]:
    converter = "org.apache.kafka.connect.json.JsonConverter"
    return {
        "decimal.handling.mode": "string",
        "interval.handling.mode": "string",
        "time.precision.mode": "adaptive",
        # JSON has bytes as base64 in any case; the mode `base64` would turn an unchanged value into NULL.
        "binary.handling.mode": "bytes",
        "hstore.handling.mode": "json",
        # A column of a type that is not known yet arrives as bytes, instead of not at all.
        "include.unknown.datatypes": "true",
        "unavailable.value.placeholder": placeholder,
        "key.converter": converter,
        "key.converter.schemas.enable": "false",
        "value.converter": converter,
        "value.converter.schemas.enable": "false",
        # Else the NULL of a column that has a default arrives as that default.
        "key.converter.replace.null.with.default": "false",
        NULLS_AS_DEFAULTS: "false",
    }


def _delivery(settings: Settings) -> dict[str, str]:
    heartbeat = f"SELECT pg_logical_emit_message(false, '{HEARTBEAT_PREFIX}', '')"
    return {
        "exactly.once.support": "required",
        "transaction.boundary": "poll",
        "poll.interval.ms": "50",
        "max.batch.size": "8192",
        "max.queue.size": "32768",
        # By number alone, rows of 1 MB would take more than any heap.
        "max.queue.size.in.bytes": str(_QUEUE_BYTES),
        "snapshot.fetch.size": str(_FETCH_ROWS),
        "heartbeat.interval.ms": str(settings.cdc.heartbeat_seconds * 1000),
        # Without it an idle database would keep all the log that its neighbours write.
        "heartbeat.action.query": heartbeat,
        # Three headers on every message that only an OpenLineage integration reads.
        "extended.headers.enabled": "false",
        "producer.override.linger.ms": "5",
        "producer.override.batch.size": "262144",
        "producer.override.compression.type": "lz4",
        "producer.override.max.request.size": str(settings.cdc.message_bytes),
        # A message must fit into the producer's buffer, too.
        "producer.override.buffer.memory": str(max(_SEND_BYTES, 2 * settings.cdc.message_bytes)),
        # A killed worker's open transaction blocks readers until it times out.
        "producer.override.transaction.timeout.ms": "10000",
        "topic.creation.default.replication.factor": "-1",
        "topic.creation.default.partitions": "1",
        "topic.creation.default.cleanup.policy": "delete",
        "topic.creation.default.max.message.bytes": str(settings.cdc.message_bytes),
        "errors.tolerance": "none",
        "event.processing.failure.handling.mode": "fail",
        # Else a value that Debezium can't write becomes NULL.
        "event.converting.failure.handling.mode": "fail",
    }


def _escaped(name: str) -> str:
    """A Java regex for exactly this name.

    Debezium splits its lists at commas, colons and semicolons, so that everything but plain
    characters is written as a code point.
    """
    return "".join(c if _PLAIN.fullmatch(c) else f"\\x{{{ord(c):x}}}" for c in name)


def _regex(schema: str, table: str) -> str:
    # By default Debezium ignores letter case.
    return f"(?-i){_escaped(schema)}[.]{_escaped(table)}"


def _excluded(tables: Iterable[CatalogTable]) -> dict[str, str]:
    """Generated columns that are not published: the snapshot would hold them, and no change after it."""
    listed = ",".join(
        f"{_regex(*table.contract.table)}[.]{_escaped(column)}" for table in tables for column in table.unpublished
    )
    return {"column.exclude.list": listed} if listed else {}


def _snapshot_selects(contracts: Iterable[TableContract]) -> dict[str, str]:
    """How the snapshot reads tables with dates.

    Debezium would take a date of before year 1 for one after it, and move those ten days that followed no day in the
    calendar that Java thinks of. Read as infinity, their rows go to quarantine.
    """
    selects = {
        contract.table.quoted: _select(contract)
        for contract in contracts
        if any(column.type_name == "date" for column in contract.columns)
    }
    option = "snapshot.select.statement.overrides"
    listed = {option: ",".join(selects)} if selects else {}
    return listed | {f"{option}.{name}": select for name, select in selects.items()}


def _select(contract: TableContract) -> str:
    columns = ((quote_identifier(column.name), column.type_name) for column in contract.columns)
    read = (
        f"CASE WHEN {name} < '0001-01-01' OR {name} BETWEEN '1582-10-05' AND '1582-10-14' THEN '-infinity' "
        f"ELSE {name} END AS {name}"
        if kind == "date"
        else name
        for name, kind in columns
    )
    return f"SELECT {', '.join(read)} FROM {contract.table.quoted}"  # noqa: S608


def _message_keys(contracts: Iterable[TableContract]) -> dict[str, str]:
    """Names the key where Debezium would take another: the primary key, or any unique index."""
    entries = [
        f"{_regex(contract.schema_name, contract.table_name)}:{','.join(map(_escaped, contract.key))}"
        for contract in contracts
        if contract.replica_identity == "index"
    ]
    return {"message.key.columns": ";".join(entries)} if entries else {}
