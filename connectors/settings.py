"""All settings, in one typed tree.

Read from, first wins: environment variables (`LAKEHOUSE_POSTGRES__HOST`), the file `.env`, and
`stack.json` in the state folder, where `lakehouse up` writes the addresses of what it started.
Read once at the edge (a command, a flow) and passed down as values.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    JsonConfigSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from connectors.errors import ConfigurationError

STACK_FILE = "stack.json"
_UNUSABLE_IN_ROOT = frozenset("[]*?%#")


def home_folder() -> Path:
    """The state folder, as the environment alone names it: for what happens before settings are read."""
    return Path(os.environ.get("LAKEHOUSE_HOME", ".lakehouse")).absolute()


def _patterns(value: object) -> object:
    """Cuts a text at its commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class _Group(BaseModel):
    # A misspelt setting must not be taken for one that is unset.
    model_config = ConfigDict(extra="forbid", frozen=True)


class PostgresSettings(_Group):
    """The database that is captured."""

    host: str | None = Field(None, description="Host of your own PostgreSQL; unset: `lakehouse up` starts one.")
    port: int = Field(5432, description="Port of the database.")
    user: str = Field("postgres", description="User with REPLICATION and the right to create a publication.")
    password: SecretStr | None = Field(None, description="Password of that user.")
    database: str = Field("shop", description="Database to capture.")


class KafkaSettings(_Group):
    """The stream that carries change events."""

    bootstrap_servers: str | None = Field(
        None, description="Brokers, `host:port,host:port`; unset: `lakehouse up` starts one."
    )


class ConnectSettings(_Group):
    """Kafka Connect, where Debezium runs."""

    url: str | None = Field(None, description="REST address of Kafka Connect; unset: `lakehouse up` starts one.")


LARGEST_MESSAGE = 64 * 2**20
"""No broker takes a request of more than 100 MB, unless told to."""


class CdcSettings(_Group):
    """What is captured, and the batch sizes of drains and merges."""

    source: str = Field(
        "shop",
        pattern=r"^[a-z][a-z0-9_]{0,39}$",
        description="Name of the source: prefix of topics, slot, publication and lake folders.",
    )
    owner: str = Field("data", min_length=1, description="Owning team of the source's tables.")
    tables: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*.*",),
        description="Tables to capture, as comma-separated `schema.table` patterns with `*` and `?`; a pattern "
        "behind `!` excludes tables.",
    )
    auto_resync_rows: int = Field(
        1_000_000,
        ge=0,
        description="Tables of up to so many rows are resynced automatically when schema drift, or a key change of "
        "which half never arrived, left silver different; 0: never, they are paused until `lakehouse resync`.",
    )
    message_bytes: int = Field(
        16 * 2**20,
        ge=2**20,
        le=LARGEST_MESSAGE,
        description="Largest message that one change of a row may be; a larger one stops capture. Kafka Connect needs "
        "some ten times as much memory. `lakehouse source register` applies it.",
    )
    heartbeat_seconds: int = Field(10, ge=1, description="Interval at which an idle source confirms its position.")
    batch_messages: int = Field(100_000, ge=1, description="Most messages in a micro-batch.")
    batch_bytes: int = Field(64 * 2**20, ge=1, description="Approximate bytes in a micro-batch.")
    merge_seconds: int = Field(
        1800,
        ge=0,
        description="Changes wait so long, at the most, before a scheduled drain merges them into silver; the lake's "
        "own views show them at once, other readers after the merge. 0: every drain merges.",
    )
    current_rows: int = Field(
        1_000_000,
        ge=0,
        description="Of tables without a primary key, whose silver is a history, merges write the current rows, too, "
        "as long as the history has no more rows than this; 0: never.",
    )
    slice_rows: int = Field(1_000_000, ge=1, description="Approximate change events folded in one merge.")
    slice_bytes: int = Field(64 * 2**20, ge=1, description="Approximate bytes of bronze files folded in one merge.")

    _split_patterns = field_validator("tables", mode="before")(_patterns)


class LakeSettings(_Group):
    """The lake. Credentials for S3 come from the usual `AWS_*` variables."""

    root: str = Field(
        default_factory=lambda: str(home_folder() / "lake"),
        description="A folder or an `s3://bucket/prefix`.",
    )

    @field_validator("root")
    @classmethod
    def _normalise_root(cls, value: str) -> str:
        if unusable := _UNUSABLE_IN_ROOT & set(value):
            raise ValueError(f"{value!r} has characters that the table format can't address: {' '.join(unusable)}")
        # A flow run starts in a folder of its own: a relative path must not mean another place there.
        return value.rstrip("/") if "://" in value else str(Path(value).absolute())


class CatalogSettings(_Group):
    """The Glue Catalog, where Athena, EMR and Trino find the lake's tables."""

    glue: bool = Field(False, description="Drains register new tables and columns in the Glue Catalog.")
    prefix: str = Field(
        "",
        pattern=r"^[a-z0-9_]*$",
        description="Prefix of the databases, so that several lakes share an account: `staging_`.",
    )


class IcebergSettings(_Group):
    """Iceberg tables that show what the lake's tables do."""

    catalog: Literal["sql", "glue", "rest"] = Field(
        "sql", description="Where they are registered: a SQL database, the Glue Catalog, or a REST catalogue."
    )
    uri: str | None = Field(
        None, description="Address of the SQL database, by default a file in LAKEHOUSE_HOME, or of the REST catalogue."
    )
    token: SecretStr | None = Field(None, description="Token of the REST catalogue.")
    tables: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Tables that drains mirror, as comma-separated patterns: `public.*,shop_s3.*`."
    )

    _split_patterns = field_validator("tables", mode="before")(_patterns)


class MaintenanceSettings(_Group):
    """What `lakehouse maintain` does, and from when on it is worth it."""

    small_files: int = Field(16, ge=2, description="Small files are merged when a table has so many of them.")
    vacuum_hours: int = Field(
        24,
        ge=1,
        description="Replaced files are deleted after so many hours: longer than any run that reads the lake.",
    )
    log_days: int = Field(1, ge=1, description="Versions of a table can be opened for so many days.")
    bronze_days: int | None = Field(
        None, ge=1, description="Messages are trimmed from bronze after so many days; unset: never."
    )
    deleted_days: int | None = Field(
        None, ge=1, description="Soft-deleted rows are purged from silver after so many days; unset: never."
    )
    sort_by: dict[str, tuple[str, ...]] = Field(
        {},
        description="Columns that silver tables are z-ordered by, by default their keys, as JSON: "
        '`{"public.orders": ["ordered_at"]}`.',
    )


class SparkSettings(_Group):
    """The Spark job that merges tables which outgrow one machine, on EMR Serverless."""

    tables: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Tables that the job merges, and scheduled drains do not, as comma-separated patterns."
    )
    above_rows: int | None = Field(
        None, ge=1, description="It merges all tables that have more rows, too; unset: only those that `tables` name."
    )
    application_id: str | None = Field(None, description="EMR Serverless application that runs the job.")
    role_arn: str | None = Field(None, description="Role that the job has there.")
    code: str | None = Field(
        None, pattern=r"^s3://[^/]+.*[^/]$", description="Where `make spark-job` was copied to, `s3://bucket/spark`."
    )
    python: str = Field("python3.11", description="Python 3.11 of the application's image.")
    log_uri: str | None = Field(
        None, pattern=r"^s3://", description="Where the job's logs go, `s3://bucket/logs`; unset: EMR alone keeps them."
    )
    timeout_minutes: int = Field(720, ge=5, description="The job is stopped after so long.")

    _split_patterns = field_validator("tables", mode="before")(_patterns)


class BackfillSettings(_Group):
    """Backfills of a range of a target."""

    time_zone: str = Field("UTC", description="Time zone of days, weeks and months, `Europe/Berlin`; keep to one.")
    lease_seconds: int = Field(
        60, ge=1, description="Lease of a run on a partition; a live run renews it, a killed one loses it."
    )

    @field_validator("time_zone")
    @classmethod
    def _know_time_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not a time zone")
        return value


def _own_project() -> Path:
    """The dbt project that comes along: beside the packages in a checkout, within this one in a wheel."""
    checkout, wheel = (Path(__file__).parents[1] / "dbt", Path(__file__).parent / "dbt_project")
    return wheel if (wheel / "dbt_project.yml").exists() else checkout


class DbtSettings(_Group):
    """The dbt project that builds the marts."""

    project: Path = Field(
        default_factory=_own_project, description="Folder of the dbt project; unset: the web shop's, which is included."
    )

    @field_validator("project")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return value.absolute()


def _own_loads() -> Path:
    return Path(__file__).parent / "synthetic" / "loads.yaml"


class LoadSettings(_Group):
    """Batch loads: what does not stream."""

    file: Path = Field(
        default_factory=_own_loads,
        description="Declaration of the sources and tables; unset: the web shop's, which is included.",
    )
    pii_salt: SecretStr | None = Field(None, description="Salt of the hashes of columns with personal data.")
    slice_bytes: int = Field(256 * 2**20, ge=1, description="Bytes at the source that are loaded in one commit.")

    @field_validator("file")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return value.absolute()


class AwsSettings(_Group):
    """The AWS account of batch loads and of the catalogue; what is unset comes from the usual `AWS_*` variables."""

    endpoint_url: str | None = Field(None, description="Address of a stand-in for AWS; unset: AWS.")
    region: str | None = Field(None, description="Region.")
    access_key_id: str | None = Field(None, description="Access key; unset: the worker's role.")
    secret_access_key: SecretStr | None = Field(None, description="Secret of the access key.")


class ApiSettings(_Group):
    """The API of the synthetic shop, `lakehouse api`."""

    token: SecretStr | None = Field(
        None, min_length=16, description="Token that callers need; without one it listens on this machine only."
    )


class PrefectSettings(_Group):
    """Prefect, which schedules and shows the flows."""

    api_url: str | None = Field(
        None, description="API address of your own Prefect server; unset: `lakehouse up` starts one."
    )
    notify_block: str | None = Field(
        None,
        pattern=r"^[^/]+/[^/]+$",
        description="Prefect block that sends notifications, `slack-webhook/data`; unset: none is sent.",
    )


class StackSettings(_Group):
    """Ports of the local stack on 127.0.0.1; unset: free ones are picked, and kept for the next time."""

    postgres_port: int | None = Field(None, description="Port of PostgreSQL.")
    kafka_port: int | None = Field(None, description="Port of Kafka, for clients.")
    kafka_controller_port: int | None = Field(None, description="Port of Kafka's controller.")
    connect_port: int | None = Field(None, description="Port of Kafka Connect's REST interface.")
    prefect_port: int | None = Field(None, description="Port of Prefect's server and user interface.")
    aws_port: int | None = Field(None, description="Port of the stand-in for AWS.")


class Settings(BaseSettings):
    """The tree of settings."""

    model_config = SettingsConfigDict(
        env_prefix="LAKEHOUSE_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
    )

    home: Path = Field(
        default_factory=home_folder,
        description="Folder of the local stack, gold and dbt's output; by default `.lakehouse` in the working folder.",
    )
    postgres: PostgresSettings = Field(default_factory=PostgresSettings)
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    connect: ConnectSettings = Field(default_factory=ConnectSettings)
    cdc: CdcSettings = Field(default_factory=CdcSettings)
    lake: LakeSettings = Field(default_factory=LakeSettings)
    catalog: CatalogSettings = Field(default_factory=CatalogSettings)
    iceberg: IcebergSettings = Field(default_factory=IcebergSettings)
    maintenance: MaintenanceSettings = Field(default_factory=MaintenanceSettings)
    spark: SparkSettings = Field(default_factory=SparkSettings)
    backfill: BackfillSettings = Field(default_factory=BackfillSettings)
    loads: LoadSettings = Field(default_factory=LoadSettings)
    aws: AwsSettings = Field(default_factory=AwsSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    dbt: DbtSettings = Field(default_factory=DbtSettings)
    prefect: PrefectSettings = Field(default_factory=PrefectSettings)
    stack: StackSettings = Field(default_factory=StackSettings)

    @model_validator(mode="before")
    @classmethod
    def _keep_lake_in_home(cls, given: dict[str, Any]) -> dict[str, Any]:
        lake = given.get("lake", {})
        if isinstance(lake, dict) and "home" in given and "root" not in lake:
            return {**given, "lake": {**lake, "root": str(Path(given["home"]).absolute() / "lake")}}
        return given

    @field_validator("home")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return value.absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Adds the addresses of the local stack below the environment and `.env`."""
        given = {**dotenv_settings(), **env_settings(), **init_settings()}
        stack = JsonConfigSettingsSource(settings_cls, json_file=Path(given.get("home") or home_folder()) / STACK_FILE)
        return init_settings, env_settings, dotenv_settings, file_secret_settings, stack


class _OwnSettings(Settings):
    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *args: PydanticBaseSettingsSource, **kwargs: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return super().settings_customise_sources(settings_cls, *args, **kwargs)[:-1]


def load_settings() -> Settings:
    """Reads the settings; call once per command or flow run.

    Raises:
        ConfigurationError: One of them is wrong; names all that are.
    """
    return _read(Settings)


def load_own_settings() -> Settings:
    """Reads what the user has set, without the addresses of the local stack: what is unset there is to be started.

    Raises:
        ConfigurationError: One of them is wrong; names all that are.
    """
    return _read(_OwnSettings)


def _read(kind: type[Settings]) -> Settings:
    try:
        return kind()
    except ValidationError as error:
        wrong = [f"{_variable(e['loc'])}: {e['msg']}" for e in error.errors(include_input=False, include_url=False)]
        raise ConfigurationError("\n".join(wrong), hint="docs/settings.md lists all settings") from None


def _variable(location: tuple[int | str, ...]) -> str:
    return f"LAKEHOUSE_{'__'.join(str(part) for part in location)}".upper()
