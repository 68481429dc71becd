"""Batch loads from LocalStack and PostgreSQL in containers, which Testcontainers starts where an engine answers."""

import pytest
from pydantic import SecretStr
from testcontainers.community.localstack import LocalStackContainer
from testcontainers.community.postgres import PostgresContainer

from connectors.aws import aws_client
from connectors.loads.load import load_table
from connectors.postgres.connection import connect
from connectors.settings import AwsSettings, PostgresSettings
from tests.docker.engine import can
from tests.loads import load_settings, rows

LOCALSTACK = "localstack/localstack:4.14.0"  # the last one that needs no token
POSTGRES = "postgres:18"
WORD = "reading"


@pytest.fixture(scope="module")
def engine():
    if not can("info", within=20):
        pytest.skip("no container engine answers: loads from containers are not tested")
    for image in (LOCALSTACK, POSTGRES):
        if not (can("image", "inspect", image, within=20) or can("pull", image, within=240)):
            pytest.skip(f"{image} can't be pulled: loads from containers are not tested")


@pytest.mark.usefixtures("engine")
def test_objects_and_items_of_localstack_are_loaded(tmp_path):
    with LocalStackContainer(LOCALSTACK) as container:
        access = {"region": "us-east-1", "access_key_id": "testing", "secret_access_key": SecretStr("testing")}
        aws = AwsSettings(endpoint_url=container.get_url(), **access)
        s3, dynamodb = aws_client(aws, "s3"), aws_client(aws, "dynamodb")
        s3.create_bucket(Bucket="files")
        s3.put_object(Bucket="files", Key="a.csv", Body=b"id,name\n1,one\n")
        dynamodb.create_table(
            TableName="things",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        dynamodb.put_item(TableName="things", Item={"id": {"S": "a"}, "n": {"N": "1"}})
        sources = {
            "files": {"type": "s3_objects", "bucket": "files", "tables": {"lines": {"path": "*.csv"}}},
            "items": {"type": "dynamodb", "tables": {"things": {"table": "things", "mode": "stream"}}},
        }
        settings = load_settings(tmp_path, sources, aws=aws)
        load_table(settings, "files", "lines")
        load_table(settings, "items", "things")
        dynamodb.put_item(TableName="things", Item={"id": {"S": "a"}, "n": {"N": "2"}})
        load_table(settings, "items", "things")
        assert rows(settings, "select id, name from files.lines") == [("1", "one")]
        assert rows(settings, "select id, n::int from items.things") == [("a", 2)]


@pytest.mark.usefixtures("engine")
def test_a_table_of_postgresql_is_loaded(tmp_path):
    given = {"username": "reader", "password": WORD, "dbname": "old"}  # pragma: allowlist secret
    with PostgresContainer(POSTGRES, **given) as container:
        postgres = PostgresSettings(
            host=container.get_container_host_ip(),
            port=int(container.get_exposed_port(5432)),
            user="reader",
            password=SecretStr(WORD),
            database="old",
        )
        with connect(postgres) as connection:
            connection.execute("create table t (id int primary key, n numeric(6, 2)); insert into t values (1, 1.50)")
        source = {"old": {"type": "sql_tables", "tables": {"t": {"table": "public.t"}}}}
        settings = load_settings(tmp_path, source, postgres=postgres)
        load_table(settings, "old", "t")
        assert rows(settings, "select id, n::varchar from old.t") == [(1, "1.50")]
