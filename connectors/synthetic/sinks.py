"""Where generated rows can go besides PostgreSQL: DynamoDB, S3, or back to the caller."""

import gzip
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.aws import aws_client, aws_errors, error_code
from connectors.settings import AwsSettings
from connectors.synthetic.catalogue import Row

BUCKET = "shop-files"
_BATCH = 25  # items that DynamoDB takes at a time

Item = Mapping[str, Mapping[str, Any]]
"""An item of DynamoDB."""


class ShopStore:
    """The shop's bucket and tables of DynamoDB.

    Args:
        aws: Where they are.
    """

    def __init__(self, aws: AwsSettings) -> None:
        self._s3, self._dynamodb = aws_client(aws, "s3"), aws_client(aws, "dynamodb")

    def create_bucket(self) -> None:
        """Creates the bucket, if there is none."""
        with aws_errors(f"bucket {BUCKET}"):
            try:
                self._s3.create_bucket(Bucket=BUCKET, **_location(self._s3.meta.region_name))
            except self._s3.exceptions.ClientError as error:
                if error_code(error) != "BucketAlreadyOwnedByYou":
                    raise

    def create_table(self, name: str, key: Sequence[str]) -> None:
        """Creates a table with a stream, if there is none."""
        with aws_errors(f"DynamoDB table {name}"):
            try:
                self._dynamodb.create_table(
                    TableName=name,
                    KeySchema=[
                        {"AttributeName": part, "KeyType": kind}
                        for part, kind in zip(key, ("HASH", "RANGE"), strict=False)
                    ],
                    AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in key],
                    BillingMode="PAY_PER_REQUEST",
                    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
                )
            except self._dynamodb.exceptions.ResourceInUseException:
                return
            self._dynamodb.get_waiter("table_exists").wait(TableName=name)

    def put_object(self, key: str, content: bytes) -> None:
        """Writes an object."""
        with aws_errors(f"s3://{BUCKET}/{key}"):
            self._s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def put_items(self, table: str, items: Sequence[Item]) -> None:
        """Writes items."""
        for start in range(0, len(items), _BATCH):
            requests = {table: [{"PutRequest": {"Item": item}} for item in items[start : start + _BATCH]]}
            while requests:  # DynamoDB leaves over what it is too busy for; the client waits before it asks again
                with aws_errors(f"DynamoDB table {table}"):
                    requests = self._dynamodb.batch_write_item(RequestItems=requests).get("UnprocessedItems", {})

    def delete_item(self, table: str, key: Item) -> None:
        """Deletes an item."""
        with aws_errors(f"DynamoDB table {table}"):
            self._dynamodb.delete_item(TableName=table, Key=key)


def as_objects(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yields rows as objects of JSON."""
    for row in rows:
        yield dict(zip(columns, row, strict=True))


def as_item(row: Mapping[str, Any], key: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns a row as an item of DynamoDB: its key as text, without what is NULL."""
    return {
        name: {"S": str(value)} if name in key else _typed(value) for name, value in row.items() if value is not None
    }


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    return {"L": [_typed(v) for v in value]} if isinstance(value, list) else {"S": str(value)}


def json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yields rows as lines of JSON."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"


def compressed(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Returns rows as lines of JSON, compressed; the same for the same rows."""
    return gzip.compress(b"".join(json_lines(rows)), compresslevel=1, mtime=0)


def object_key(entity: str) -> str:
    """Returns the key of a new object of generated rows."""
    return f"generated/{entity}/{uuid.uuid4()}.jsonl.gz"


def _location(region: str) -> dict[str, Any]:
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
