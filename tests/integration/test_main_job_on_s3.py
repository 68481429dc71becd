"""The main job with the lake on S3: the shop captured, drained, changed, drained again, built and compared."""

import uuid

import pytest

from connectors.aws import aws_client
from connectors.cdc.registration import register_source
from connectors.lake.reader import query_lake
from connectors.postgres.connection import connect
from connectors.quality.reconcile import reconcile_source
from connectors.settings import AwsSettings
from connectors.synthetic import TABLES, fill_shop, hard_cases
from tests.lake import drain
from tests.s3 import s3_of_its_own


@pytest.fixture
def on_s3(settings, tmp_path):
    with s3_of_its_own(tmp_path):
        aws_client(AwsSettings(), "s3").create_bucket(Bucket="lake")
        lake = settings.lake.model_copy(update={"root": f"s3://lake/{uuid.uuid4().hex}"})
        yield settings.model_copy(update={"lake": lake})


def test_silver_on_s3_equals_the_source(on_s3):
    with connect(on_s3.postgres) as connection:
        connection.autocommit = True
        fill_shop(connection, orders=300, seed=3)
        register_source(on_s3)
        drain(on_s3, connection)
        hard_cases(connection, seed=3, each=3)
        drain(on_s3, connection)
    comparisons = reconcile_source(on_s3)
    assert {c.table.name for c in comparisons} == set(TABLES)
    assert [c for c in comparisons if c.mismatches] == []
    with query_lake(on_s3, "SELECT count(*) FROM silver.orders") as relation:
        [(orders,)] = relation.fetchall()
    assert orders == next(c.silver_rows for c in comparisons if c.table.name == "orders")
