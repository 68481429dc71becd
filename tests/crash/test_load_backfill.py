"""A backfill of thirty days of objects that is killed once and resumed: counted from the data."""

import gzip
import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from datetime import date, timedelta

import pytest

from connectors.aws import aws_client
from connectors.failpoints import VARIABLE
from tests.aws import moto_server
from tests.loads import load_settings, rows, version

SINCE, UNTIL = date(2026, 1, 1), date(2026, 1, 31)
DAYS = [SINCE + timedelta(days=n) for n in range(30)]
KILLED_AFTER = 11
HOURS = (0, 12)


@pytest.fixture
def settings(tmp_path):
    with moto_server() as aws:
        bucket = f"b-{uuid.uuid4().hex}"
        client = aws_client(aws, "s3")
        client.create_bucket(Bucket=bucket)
        for day in DAYS:
            for hour in HOURS:
                lines = [{"id": f"{day} {hour} {n}"} for n in range(day.day)]
                body = gzip.compress("\n".join(map(json.dumps, lines)).encode())
                client.put_object(Bucket=bucket, Key=f"clicks/{day:%Y/%m/%d}/{hour:02}.jsonl.gz", Body=body)
        table = {"path": "clicks/%Y/%m/%d/*.jsonl.gz"}
        source = {"type": "s3_objects", "bucket": bucket, "tables": {"clicks": table}}
        yield load_settings(tmp_path, {"shop_s3": source}, aws=aws)


def backfill(settings, **environment):
    given = {
        "LAKEHOUSE_HOME": str(settings.home),
        "LAKEHOUSE_LOADS__FILE": str(settings.loads.file),
        "LAKEHOUSE_AWS__ENDPOINT_URL": settings.aws.endpoint_url,
        "LAKEHOUSE_AWS__REGION": settings.aws.region,
        "LAKEHOUSE_AWS__ACCESS_KEY_ID": settings.aws.access_key_id,
        "LAKEHOUSE_AWS__SECRET_ACCESS_KEY": settings.aws.secret_access_key.get_secret_value(),
        "LAKEHOUSE_BACKFILL__LEASE_SECONDS": "1",
    }
    command = [sys.executable, "-m", "deployments.cli", "backfill", "shop_s3.clicks"]
    command += ["--since", str(SINCE), "--until", str(UNTIL)]
    return subprocess.run(command, env=os.environ | given | environment, check=False, capture_output=True, text=True)


def test_thirty_days_are_loaded_once_though_the_backfill_is_killed(settings):
    killed = backfill(settings, **{VARIABLE: f"partition-written:{KILLED_AFTER}"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = dict(rows(settings, "select _day, count(*) from shop_s3.clicks group by 1"))
    assert done == {day: len(HOURS) * day.day for day in DAYS[:KILLED_AFTER]}
    resumed = backfill(settings)
    assert resumed.returncode == 0, resumed.stderr
    assert "30 done" in resumed.stdout
    found = Counter(key for (key,) in rows(settings, "select id from shop_s3.clicks"))
    assert found == Counter(f"{day} {hour} {n}" for day in DAYS for hour in HOURS for n in range(day.day))
    # The one that was written and not recorded is loaded again, no other.
    assert version(settings, "shop_s3", "clicks") == 1 + len(DAYS) + 1
    before = version(settings, "shop_s3", "clicks")
    assert "30 done" in backfill(settings).stdout
    assert version(settings, "shop_s3", "clicks") == before
