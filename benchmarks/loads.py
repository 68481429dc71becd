"""How fast batch loads are, beside plain dlt and beside a reader that only reads; and whether their memory stays flat.

Run while `lakehouse up --with aws` runs: it makes a database, a bucket, a table and a lake of its own, and removes
them. Each measurement is a process of its own, which has imported everything: wall and CPU time, and peak memory.
"""

import csv
import gzip
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from adbc_driver_postgresql import dbapi
from dlt.sources import filesystem as files
from dlt.sources.sql_database import sql_table

from connectors.loads.load import load_table
from connectors.postgres.connection import connect
from connectors.settings import LakeSettings, LoadSettings, PostgresSettings, Settings, load_settings

ROWS = int(os.environ.get("ROWS", "1_000_000"))
ITEMS = 20_000
PER_FILE = 100_000
MULTIPLES = (10, 30)
COLUMNS = (
    "id bigint, customer int, amount numeric(12, 2), ratio float8, flag bool, day date, at timestamptz, name text,"
    " note text, doc jsonb, tags text[]"
)
VALUES = (
    "n, n % 1000, (n % 100000) / 100.0, n / 7.0, n % 2 = 0, date '2026-01-01' + n % 365, timestamptz '2026-01-01' +"
    " n * interval '1 s', 'name ' || n % 5000, md5(n::text), jsonb_build_object('n', n % 10), array['a', 'b']"
)
KINDS = {"amount": "decimal(2)", "day": "date", "at": "timestamp"}


def main() -> None:
    """Measures, and prints a table."""
    with scratch() as (home, settings):
        fill(settings, home)
        print(f"{'source':<16}{'way':<12}{'rows':>12}{'rows/s':>10}{'CPU s':>8}{'peak MB':>9}")
        for source in (*larger("sql"), "jsonl", "csv", *larger("parquet"), "dynamodb"):
            ways = ("ours",) if source[-1].isdigit() else ("ours", "plain dlt", "bare reader")
            for way in ways:
                command = [sys.executable, __file__, str(home), source, way]
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                if done.returncode != 0:
                    reasons = [line for line in done.stderr.splitlines() if "Error" in line or "Exception" in line]
                    print(f"{source:<16}{way:<12} failed: {''.join(reasons[-1:])}")
                    continue
                found = json.loads(done.stdout.splitlines()[-1])
                speed = found["rows"] / found["seconds"]
                shown = f"{found['rows']:>12,}{speed:>10,.0f}{found['cpu']:>8.1f}{found['peak'] / 1e6:>9.0f}"
                print(f"{source:<16}{way:<12}{shown}", flush=True)


def larger(source: str) -> tuple[str, ...]:
    """A source, and the same with many times the rows: does memory stay flat?"""
    return (source, *(f"{source}_{times}" for times in MULTIPLES))


@contextmanager
def scratch() -> Iterator[tuple[Path, Settings]]:
    """A database, a bucket and a lake for this run."""
    found, name = load_settings(), f"bench_{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as folder, connect(found.postgres) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            home = Path(folder)
            text = found.model_copy(update={"postgres": found.postgres.model_copy(update={"database": name})})
            state = {
                "postgres": {**text.postgres.model_dump(), "password": found.postgres.password.get_secret_value()},
                "aws": {**found.aws.model_dump(), "secret_access_key": found.aws.secret_access_key.get_secret_value()},
                "name": name.replace("_", "-"),
            }
            (home / "state.json").write_text(json.dumps(state))
            yield home, opened(home)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def opened(home: Path) -> Settings:
    """The settings of this run."""
    state = json.loads((home / "state.json").read_text())
    aws, name = state["aws"], state["name"]
    os.environ |= {
        "AWS_ENDPOINT_URL": aws["endpoint_url"],
        "AWS_ACCESS_KEY_ID": aws["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": aws["secret_access_key"],
        "AWS_REGION": aws["region"],
        "AWS_DEFAULT_REGION": aws["region"],
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    objects = {kind: {"path": f"{kind}/*", "columns": KINDS} for kind in ("jsonl", "csv", *larger("parquet"))}
    tables = {table: {"table": f"public.{table}"} for table in larger("sql")}
    sources = {
        "s3": {"type": "s3_objects", "bucket": name, "tables": objects},
        "db": {"type": "sql_tables", "tables": tables},
        "nosql": {"type": "dynamodb", "tables": {"dynamodb": {"table": name, "segments": 1}}},
    }
    (home / "loads.yaml").write_text(yaml.safe_dump({"sources": sources}))
    return Settings(
        home=home,
        postgres=PostgresSettings(**state["postgres"]),
        lake=LakeSettings(root=str(home / "lake")),
        loads=LoadSettings(file=home / "loads.yaml"),
    )


def fill(settings: Settings, home: Path) -> None:
    """Writes the same rows to every source."""
    name = json.loads((home / "state.json").read_text())["name"]
    s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
    s3.create_bucket(Bucket=name)
    with connect(settings.postgres) as connection:
        for table, rows in zip(larger("sql"), (ROWS, *(times * ROWS for times in MULTIPLES)), strict=True):
            connection.execute(f"CREATE TABLE {table} ({COLUMNS})")
            connection.execute(f"INSERT INTO {table} SELECT {VALUES} FROM generate_series(1, {rows}) n")
            connection.execute(f"ANALYZE {table}")
    for number in range(ROWS // PER_FILE):
        rows = [row(n) for n in range(number * PER_FILE, (number + 1) * PER_FILE)]
        lines = "".join(json.dumps(r) + "\n" for r in rows)
        s3.put_object(Bucket=name, Key=f"jsonl/{number}.jsonl.gz", Body=gzip.compress(lines.encode(), 1))
        out = io.StringIO()
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows({**r, "doc": json.dumps(r["doc"])} for r in rows)
        s3.put_object(Bucket=name, Key=f"csv/{number}.csv", Body=out.getvalue().encode())
        written = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), written)
        s3.put_object(Bucket=name, Key=f"parquet/{number}.parquet", Body=written.getvalue())
        for times in MULTIPLES:
            for copy in range(times):
                s3.put_object(Bucket=name, Key=f"parquet_{times}/{number}-{copy}.parquet", Body=written.getvalue())
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for start in range(0, ITEMS, 25):
        puts = [{"PutRequest": {"Item": item(n)}} for n in range(start, start + 25)]
        dynamodb.batch_write_item(RequestItems={name: puts})


def row(n: int) -> dict[str, object]:
    """A row of a file."""
    day = f"2026-{n % 12 + 1:02}-{n % 28 + 1:02}"
    texts = {"day": day, "at": f"{day}T10:00:00Z", "name": f"name {n % 5000}", "note": f"{n:032x}"}
    return {
        "id": n,
        "customer": n % 1000,
        "amount": n % 100000 / 100,
        "flag": n % 2 == 0,
        **texts,
        "doc": {"n": n % 10},
    }


def item(n: int) -> dict[str, dict[str, object]]:
    """An item of DynamoDB."""
    return {
        "id": {"N": str(n)},
        "amount": {"N": str(n % 100000 / 100)},
        "name": {"S": f"name {n % 5000}"},
        "note": {"S": f"{n:032x}"},
        "doc": {"M": {"n": {"N": str(n % 10)}}},
    }


def ours(settings: Settings, source: str) -> int:
    """Loads a table."""
    name = "db" if source.startswith("sql") else "nosql" if source == "dynamodb" else "s3"
    report = load_table(settings, name, source)
    assert report.rejected == 0, report
    return report.rows


def plain_dlt(settings: Settings, source: str) -> int:
    """What dlt does by default, into a Delta table in a folder."""
    bucket = json.loads((settings.home / "state.json").read_text())["name"]
    if source == "sql":
        given = settings.postgres
        address = f"postgresql+psycopg://{given.user}:{given.password.get_secret_value()}@{given.host}:{given.port}"
        data = sql_table(f"{address}/{given.database}", table="sql")
    elif source == "dynamodb":
        data = dlt.resource(plain_scan(bucket), name="dynamodb", max_table_nesting=0)
    else:
        reader = {"jsonl": files.read_jsonl, "csv": files.read_csv_duckdb, "parquet": files.read_parquet}[source]
        data = (files.filesystem(bucket_url=f"s3://{bucket}/{source}", file_glob="*") | reader()).with_name(source)
    data.apply_hints(table_format="delta")
    folder = settings.home / f"plain-{source}"
    place = dlt.destinations.filesystem(bucket_url=str(folder / "lake"))
    pipeline = dlt.pipeline(source, pipelines_dir=str(folder / "pipelines"), destination=place, dataset_name="plain")
    pipeline.run(data)
    return int(pipeline.last_trace.last_normalize_info.row_counts[source])


def plain_scan(table: str) -> Iterator[list[dict[str, object]]]:
    """Items of a table, as boto3's resources have them."""
    handle = boto3.resource("dynamodb").Table(table)
    last: dict[str, object] = {}
    while True:
        page = handle.scan(**last)
        yield page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        last = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def bare_reader(settings: Settings, source: str) -> int:
    """Only reads."""
    bucket = json.loads((settings.home / "state.json").read_text())["name"]
    if source == "sql":
        given = settings.postgres
        address = f"postgresql://{given.user}:{given.password.get_secret_value()}@{given.host}:{given.port}"
        with dbapi.connect(f"{address}/{given.database}") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT * FROM sql")
            return sum(len(batch) for batch in cursor.fetch_record_batch())
    if source == "dynamodb":
        return sum(len(page) for page in plain_scan(bucket))
    s3, rows = boto3.client("s3"), 0
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix=f"{source}/")["Contents"]:
        body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        if source == "jsonl":
            rows += sum(1 for line in gzip.decompress(body).splitlines() if json.loads(line))
        elif source == "csv":
            rows += sum(1 for _ in csv.reader(io.StringIO(body.decode()))) - 1
        else:
            rows += len(pq.read_table(io.BytesIO(body)))
    return rows


WAYS: dict[str, Callable[[Settings, str], int]] = {
    "ours": ours,
    "plain dlt": plain_dlt,
    "bare reader": bare_reader,
}


def measure(home: str, source: str, way: str) -> None:
    """Measures one way of one source, in this process."""
    settings = opened(Path(home))
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    rows = WAYS[way](settings, source)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    # Of this program alone; what getrusage says begins with the memory of who started it.
    [peak] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
    found = {"rows": rows, "seconds": time.monotonic() - began, "cpu": cpu, "peak": int(peak) * 1024}
    print(json.dumps(found))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(*sys.argv[1:])
    else:
        main()
