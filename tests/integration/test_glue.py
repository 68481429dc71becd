"""The Glue Catalog has the lake's tables as they are now, and nobody else's are touched."""

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from deltalake.schema import Schema
from typer.testing import CliRunner

from connectors.aws import aws_client
from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.drain import drained_batch
from connectors.cdc.iceberg import compare, mirror_all
from connectors.cdc.merge import merge_table
from connectors.errors import ConfigurationError
from connectors.lake.contract_log import record_contracts
from connectors.lake.glue import hive_type, register_tables, sync_catalog
from connectors.lake.storage import open_table
from connectors.postgres.comments import Comments
from connectors.postgres.contracts import ColumnContract
from connectors.settings import AwsSettings, CatalogSettings, IcebergSettings
from deployments.cli import app
from tests.events import event
from tests.s3 import s3_of_its_own
from tests.silver_lake import KEYED, KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source

COMMENTS = Comments("Orders of the shop.", {"name": "What\nit is called"})


@pytest.fixture
def glue():
    return aws_client(AwsSettings(), "glue")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    with s3_of_its_own(tmp_path_factory.mktemp("aws")):
        aws_client(AwsSettings(), "s3").create_bucket(Bucket="lake")
        yield "s3://lake"


@pytest.fixture
def source(bucket, tmp_path, monkeypatch, request):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    name = request.node.name.replace("_", "-")
    source = Source(f"{bucket}/{name}", KEYED)
    catalog = CatalogSettings(glue=True, prefix=f"{request.node.name}_")
    source.settings = source.settings.model_copy(update={"catalog": catalog})
    source.receive(event("c", row(1, "a", "x"), lsn=10, prev=5))
    merge(source)
    return source


def merge(source, comments=COMMENTS):
    check = ContractCheck(drained_batch(source.settings), comments={TABLE: comments})
    merge_table(source.settings, TABLE, checked=check)


def found(glue, source, name="t", database="silver"):
    return glue.get_table(DatabaseName=f"{source.settings.catalog.prefix}{database}", Name=name)["Table"]


def changes(source, **options):
    prefix = source.settings.catalog.prefix
    return [(c.table.removeprefix(prefix), c.change, c.why) for c in sync_catalog(source.settings, **options)]


def test_tables_are_registered_with_columns_types_and_comments(source, glue):
    planned = changes(source, dry_run=True)
    assert planned == [("bronze.s_changes", "create", "10 columns"), ("silver.t", "create", "10 columns")]
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        found(glue, source)
    assert changes(source, dry_run=False) == planned
    table = found(glue, source)
    columns = {c["Name"]: (c["Type"], c["Comment"]) for c in table["StorageDescriptor"]["Columns"]}
    assert columns["id"] == ("bigint", "[int4]")
    assert columns["name"] == ("string", "What it is called [varchar]")
    assert columns["_cdc_committed_at"] == ("timestamp", "")
    assert table["Description"].startswith("Orders of the shop.\nOne row per key.")
    location = source.layout.silver(TABLE)
    assert (table["StorageDescriptor"]["Location"], table["Parameters"]["path"]) == (location, location)
    assert table["StorageDescriptor"]["SerdeInfo"]["Parameters"]["path"] == location
    wanted = {"table_type": "DELTA", "spark.sql.sources.provider": "delta", "EXTERNAL": "TRUE"}
    assert wanted.items() <= table["Parameters"].items()
    assert json.loads(table["Parameters"]["lakehouse.key"]) == ["id"]
    headers = {c["Name"]: c["Type"] for c in found(glue, source, "s_changes", "bronze")["StorageDescriptor"]["Columns"]}
    assert headers["headers"] == "map<string,binary>"


def test_current_rows_of_a_table_without_a_key_are_registered_beside_their_history(bucket, glue):
    source = Source(f"{bucket}/keyless", KEYLESS)
    source.settings = source.settings.model_copy(update={"catalog": CatalogSettings(glue=True, prefix="keyless_")})
    source.receive(event("c", row(1, "a", "x"), lsn=10, prev=5), event("c", row(1, "a", "x"), lsn=20, prev=15))
    merge(source)
    assert [table for table, *_ in changes(source, dry_run=False)] == ["bronze.s_changes", "current.t", "silver.t"]
    table = found(glue, source, database="current")
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]] == ["id", "name", "big"]
    assert "as the source has them" in table["Description"]
    assert len(open_table(table["Parameters"]["path"]).to_pyarrow_table()) == 2


def test_second_run_changes_nothing(source, glue):
    changes(source, dry_run=False)
    before = found(glue, source)
    assert changes(source, dry_run=False) == []
    source.receive(event("c", row(2, "b", "y"), lsn=20, prev=15))
    merge(source)
    assert changes(source, dry_run=False) == []
    assert found(glue, source) == before


def test_catalogue_follows_columns_and_comments(source, glue):
    changes(source, dry_run=False)
    added = ColumnContract(name="Since", type_name="date", number=9)
    record_contracts(source.layout, [KEYED.model_copy(update={"columns": (*KEYED.columns, added)})], 1)
    merge(source, Comments(None, {"name": "its name"}))
    assert changes(source, dry_run=False) == [("silver.t", "update", "new since, changed name, the description")]
    columns = {c["Name"]: (c["Type"], c["Comment"]) for c in found(glue, source)["StorageDescriptor"]["Columns"]}
    assert columns["since"] == ("date", "[date]")
    assert columns["name"] == ("string", "its name [varchar]")


def test_table_of_another_owner_is_refused_and_the_others_go_on(source, glue):
    database = f"{source.settings.catalog.prefix}silver"
    glue.create_database(DatabaseInput={"Name": database})
    theirs = {"Name": "t", "StorageDescriptor": {"Columns": [], "Location": "s3://elsewhere/t"}}
    glue.create_table(DatabaseName=database, TableInput=theirs)
    assert changes(source, dry_run=False)[-1] == ("silver.t", "refused", "it belongs to somebody else")
    assert found(glue, source)["StorageDescriptor"]["Location"] == "s3://elsewhere/t"
    assert found(glue, source, "s_changes", "bronze")
    with pytest.raises(ConfigurationError, match=r"tables of other owners: .*silver\.t: it belongs to somebody else"):
        register_tables(source.settings)


def test_two_lakes_of_one_name_refuse_each_other(source, bucket):
    changes(source, dry_run=False)
    other = Source(f"{bucket}/other-lake", KEYED)
    other.settings = other.settings.model_copy(update={"catalog": source.settings.catalog})
    other.receive(event("c", row(1, "a", "x"), lsn=10, prev=5))
    merge(other)
    assert {change for _, change, _ in changes(other, dry_run=False)} == {"refused"}


def test_what_the_lake_has_no_more_is_removed_and_theirs_stays(source, glue):
    changes(source, dry_run=False)
    database = f"{source.settings.catalog.prefix}silver"
    theirs = {"Name": "theirs", "StorageDescriptor": {"Columns": [], "Location": "s3://elsewhere/t"}}
    glue.create_table(DatabaseName=database, TableInput=theirs)
    ours = {key: found(glue, source)[key] for key in ("StorageDescriptor", "Parameters")}
    glue.create_table(DatabaseName=database, TableInput={"Name": "gone", **ours})
    assert changes(source, dry_run=False) == [("silver.gone", "remove", "the lake has no such table any more")]
    assert found(glue, source, "theirs")


def test_several_at_once_end_with_the_same(source, glue):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: changes(source, dry_run=False), range(4)))
    assert changes(source, dry_run=False) == []
    assert found(glue, source)


def test_iceberg_tables_in_the_same_catalogue_follow(source, glue):
    changes(source, dry_run=False)
    wanted = {"iceberg": IcebergSettings(catalog="glue", tables=("public.*",))}
    settings = source.settings.model_copy(update=wanted)
    [report] = mirror_all(settings)
    source.receive(event("c", row(2, "b", "y"), lsn=20, prev=15))
    merge(source)
    [again] = mirror_all(settings)
    assert (report.added, again.added) == (1, 1)
    counts = compare(settings, "public.t")
    assert {(count.rows, count.checksum) for count in counts} == {(2, counts[0].checksum)}
    table = found(glue, source, "t", "silver_iceberg")
    assert table["Parameters"]["table_type"] == "ICEBERG"
    # Neither takes the other for its own.
    assert changes(source, dry_run=False) == []


def test_lake_in_a_folder_is_refused(tmp_path):
    source = Source(str(tmp_path / "lake"), KEYED)
    with pytest.raises(ConfigurationError, match="the lake is in a folder"):
        sync_catalog(source.settings)


def test_command_shows_what_it_would_do(source, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_LAKE__ROOT", source.settings.lake.root)
    monkeypatch.setenv("LAKEHOUSE_CDC__SOURCE", "s")
    monkeypatch.setenv("LAKEHOUSE_CATALOG__PREFIX", source.settings.catalog.prefix)
    shown = CliRunner().invoke(app, ["catalog", "sync", "--dry-run", "--json"])
    assert shown.exit_code == 0, shown.output
    assert [change["change"] for change in json.loads(shown.stdout)] == ["create", "create"]
    assert CliRunner().invoke(app, ["catalog", "sync"]).exit_code == 0
    assert "in step" in CliRunner().invoke(app, ["catalog", "sync"]).output


def test_nested_types():
    schema = pa.schema(
        [
            ("a", pa.list_(pa.struct([("b", pa.int32()), ("c", pa.decimal128(38, 2))]))),
            ("m", pa.map_(pa.string(), pa.binary())),
        ]
    )
    types = [hive_type(field.type) for field in Schema.from_arrow(schema).fields]
    assert types == ["array<struct<b:int,c:decimal(38,2)>>", "map<string,binary>"]
