"""Sources of batch loads that change at random, and what their tables should then hold."""

import gzip
import json
import uuid
from abc import ABC, abstractmethod
from collections import Counter

from connectors.aws import aws_client
from connectors.postgres.connection import connect
from tests.loads import load_settings, quarantined, rows


class LoadWorld(ABC):
    """A source, its table, and what that should hold.

    Attributes:
        settings: The lake and the declaration.
        source: Name of the source.
        table: Name of the table.
    """

    source = "source"
    table = "things"
    columns = "id, t"

    def __init__(self, folder, *, aws=None, **options):
        entry, others = self.declare()
        self.settings = load_settings(folder, {self.source: entry}, aws=aws, **{**others, **options})
        small = self.settings.loads.model_copy(update={"slice_bytes": 200})
        self.settings = self.settings.model_copy(update={"loads": small})

    @abstractmethod
    def declare(self):
        """The source's entry in the declaration, and other settings."""

    @abstractmethod
    def change(self, rng):
        """Changes the source."""

    @abstractmethod
    def wanted(self):
        """The rows that the table should hold, and the rejected ones, as often as they should be there."""

    def check(self):
        """Asserts that the table is as it should be."""
        good, bad = self.wanted()
        found = Counter(rows(self.settings, f"select {self.columns} from {self.source}.{self.table}"))
        assert found == good, (found - good, good - found)
        rejected = Counter(quarantined(self.settings, "decode(value)"))
        assert rejected == bad, (rejected - bad, bad - rejected)


class ObjectsWorld(LoadWorld):
    """Objects that are added, overwritten and deleted; some lines are bad."""

    columns = "id, t, _object, _row"

    def __init__(self, folder, aws):
        self.bucket, self.objects = f"b-{uuid.uuid4().hex}", {}
        self.client = aws_client(aws, "s3")
        self.client.create_bucket(Bucket=self.bucket)
        super().__init__(folder, aws=aws)

    def declare(self):
        table = {"path": "o/*.jsonl.gz", "on_deleted": "remove", "columns": {"id": "bigint"}}
        return {"type": "s3_objects", "bucket": self.bucket, "tables": {self.table: table}}, {}

    def change(self, rng):
        for _ in range(rng.randint(2, 6)):
            key = f"o/{rng.randint(1, 12)}.jsonl.gz"
            if key in self.objects and rng.random() < 0.2:
                self.client.delete_object(Bucket=self.bucket, Key=key)
                del self.objects[key]
                continue
            lines = [self._line(rng) for _ in range(rng.randint(0, 8))]
            self.objects[key] = lines
            self.client.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(b"\n".join(lines)))

    def _line(self, rng):
        if rng.random() < 0.15:
            return f"bad {uuid.uuid4()}".encode()
        return json.dumps({"id": rng.randint(1, 99), "t": rng.choice("abc")}).encode()

    def wanted(self):
        good, bad = Counter(), Counter()
        for key, lines in self.objects.items():
            for number, line in enumerate(lines, 1):
                if line.startswith(b"{"):
                    row = json.loads(line)
                    good[row["id"], row["t"], key, number] += 1
                else:
                    bad[line.decode() + ("\n" if number < len(lines) else ""),] += 1
        return good, bad


class TableWorld(LoadWorld):
    """A table of PostgreSQL whose rows are added and updated; some times can't be read."""

    def __init__(self, folder, database):
        self.database = database
        with connect(database) as connection:
            connection.execute(
                "create table things (id int primary key, t text, changed timestamptz default clock_timestamp())"
            )
        super().__init__(folder, postgres=database)

    def declare(self):
        table = {"table": "public.things", "mode": "incremental", "key": ["id"], "cursor": "changed"}
        return {"type": "sql_tables", "tables": {self.table: table}}, {}

    def change(self, rng):
        with connect(self.database) as connection:
            for _ in range(rng.randint(2, 20)):
                connection.execute(
                    "insert into things values (%s, %s) on conflict (id)"
                    " do update set t = excluded.t, changed = clock_timestamp()",
                    [rng.randint(1, 60), rng.choice("abc")],
                )

    def wanted(self):
        with connect(self.database) as connection:
            return Counter(connection.execute("select id, t from things").fetchall()), Counter()


class ItemsWorld(LoadWorld):
    """A table of DynamoDB with a stream."""

    columns = "id::int, t"

    def __init__(self, folder, aws):
        self.name, self.items = f"t-{uuid.uuid4().hex}", {}
        self.client = aws_client(aws, "dynamodb")
        self.client.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        super().__init__(folder, aws=aws)

    def declare(self):
        table = {"table": self.name, "mode": "stream", "segments": 2}
        return {"type": "dynamodb", "tables": {self.table: table}}, {}

    def change(self, rng):
        for _ in range(rng.randint(2, 15)):
            key, value = rng.randint(1, 30), rng.choice("abc")
            if key in self.items and rng.random() < 0.3:
                self.client.delete_item(TableName=self.name, Key={"id": {"N": str(key)}})
                del self.items[key]
            else:
                self.client.put_item(TableName=self.name, Item={"id": {"N": str(key)}, "t": {"S": value}})
                self.items[key] = value

    def wanted(self):
        return Counter(self.items.items()), Counter()
