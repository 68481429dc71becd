"""The synthetic shop over HTTP: whole whatever is asked for, in whatever order; and nothing that breaks it."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager, suppress

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis.errors import Unsatisfiable
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from connectors.aws import aws_client
from connectors.postgres.connection import connect
from connectors.settings import ApiSettings, PostgresSettings
from connectors.synthetic import TABLES, count_rows
from connectors.synthetic.api import make_app
from connectors.synthetic.sinks import BUCKET
from deployments.stack.ports import pick_ports
from tests.aws import moto_server

MANY = 100
TOKEN = "0123456789abcdef"  # pragma: allowlist secret


@pytest.fixture(scope="module")
def aws():
    with moto_server() as aws:
        yield aws


@pytest.fixture
def served(settings, aws):
    return settings.model_copy(update={"aws": aws})


@contextmanager
def serving(settings, hosts=("127.0.0.1",)):
    """Serves the application on a free port."""
    app, port = make_app(settings, hosts=list(hosts)), pick_ports(["api"])["api"]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    Retrying(retry=retry_if_not_result(bool), stop=stop_after_delay(30), wait=wait_fixed(0.02))(lambda: server.started)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            yield client
    finally:
        app.state.traffic.stop()
        server.should_exit = True
        thread.join()


@pytest.fixture
def api(served):
    with serving(served) as client:
        yield client


def test_orders_bring_their_customers(api, settings):
    answer = api.post("/api/generate/orders?count=500")
    assert answer.status_code == 200, answer.text
    added = answer.json()["rows"]
    assert added["orders"] == 500
    assert {"customers", "categories", "products", "order_items", "payments"} <= set(added)
    with connect(settings.postgres) as connection:
        assert {t: n for t, n in count_rows(connection).items() if n} == added


@pytest.mark.parametrize("entity", TABLES[::-1])
def test_every_entity_comes_first_and_again(api, settings, entity):
    for _ in range(2):
        added = api.post(f"/api/generate/{entity}?count=50").json()["rows"]
        assert added[entity] >= 50
    with connect(settings.postgres) as connection:
        assert count_rows(connection)[entity] >= 100


def test_rows_can_be_the_answer(api):
    lines = api.post("/api/generate/orders?count=30&target=return&seed=5").text.splitlines()
    again = api.post("/api/generate/orders?count=30&target=return&seed=5").text.splitlines()
    assert lines == again
    assert [json.loads(line)["order_id"] for line in lines] == list(range(1, 31))


def test_rows_can_go_to_s3_and_dynamodb(api, aws):
    assert api.post("/api/generate/customers?count=40&target=s3").json()["rows"] == {"customers": 40}
    s3, dynamodb = aws_client(aws, "s3"), aws_client(aws, "dynamodb")
    [found] = s3.list_objects_v2(Bucket=BUCKET, Prefix="generated/customers/")["Contents"]
    lines = gzip.decompress(s3.get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read()).splitlines()
    assert len(lines) == 40
    assert api.post("/api/generate/order_items?count=40&target=dynamodb").json()["rows"] == {"order_items": 40}
    assert dynamodb.scan(TableName="order_items")["Count"] == 40


def test_sources_are_filled_from_the_orders(api):
    assert api.post("/api/sources").status_code == 409
    api.post("/api/generate/orders?count=100")
    filled = api.post("/api/sources?days=2").json()["rows"]
    assert filled["sessions"] > 0
    assert filled["price lists"] > 0


def test_traffic_starts_changes_its_rate_and_stops(api):
    refused = api.post("/api/traffic?rate=500")
    assert (refused.status_code, refused.json()["status"]) == (409, 409)
    api.post("/api/generate/orders?count=200")
    assert api.post("/api/traffic?rate=500").json()["running"]
    assert api.post("/api/traffic?rate=1000").json()["rate"] == 1000
    until = Retrying(retry=retry_if_not_result(lambda n: n > 0), stop=stop_after_delay(30), wait=wait_fixed(0.05))
    until(lambda: api.get("/api/traffic").json()["transactions"])
    stopped = api.delete("/api/traffic").json()
    assert (stopped["running"], stopped["error"]) == (False, None)
    assert sum(stopped["rows"].values()) > 0
    assert api.delete("/api/traffic").json()["transactions"] == stopped["transactions"]


@pytest.mark.parametrize(
    ("call", "status", "detail"),
    [
        ("/api/generate/orders?count=0", 422, "count: Input should be greater than or equal to 1"),
        ("/api/generate/orders?count=1000001", 422, "count: Input should be less than or equal to 1000000"),
        ("/api/traffic?rate=1e-300", 422, "rate: Input should be greater than or equal to 0.01"),
        ("/api/generate/unicorns", 422, "entity: Input should be"),
        ("/api/generate/orders?target=kafka", 422, "target: Input should be"),
        ("/api/nothing", 404, "Not Found"),
    ],
)
def test_problems_are_explained(api, call, status, detail):
    answer = api.post(call)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith(detail)


def test_a_database_that_is_away_is_a_problem(settings, aws):
    away = settings.model_copy(update={"postgres": PostgresSettings(host="127.0.0.1", port=1), "aws": aws})
    with serving(away) as api:
        assert api.post("/api/generate/orders").status_code == 503


def test_a_token_is_needed_where_one_is_set(served):
    guarded = served.model_copy(update={"api": ApiSettings(token=TOKEN)})
    with serving(guarded) as api:
        assert api.get("/api/traffic").status_code == 401
        assert api.get("/api/traffic", headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
        assert api.get("/api/traffic", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_page_of_another_site_is_refused(served):
    with serving(served) as api:
        rebound = {"Host": "shop.example"}
        assert api.post("/api/generate/customers?count=1", headers=rebound).status_code == 400


def test_the_command_serves_on_loopback_and_nowhere_else_without_a_token(environment):
    port = str(pick_ports(["api"])["api"])
    program = [sys.executable, "-m", "deployments.cli", "api", "--port", port]
    with subprocess.Popen(program, env=dict(os.environ), stderr=subprocess.PIPE, text=True) as server:
        try:
            assert f"http://127.0.0.1:{port}" in server.stderr.readline()
            assert httpx.get(f"http://127.0.0.1:{port}/openapi.json").json()["info"]["title"] == "Synthetic shop"
        finally:
            server.terminate()
    refused = subprocess.run([*program, "--host", "0.0.0.0"], check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "LAKEHOUSE_API__TOKEN" in refused.stderr


def test_no_call_breaks_it(api):
    """Calls made up from the description of the API: what is allowed works, the rest is a problem that is described."""
    schema = schemathesis.openapi.from_url(f"{api.base_url}/openapi.json")
    schema = schema.exclude(path="/api/sources")  # writes thousands of items with every call
    calls = Counter()

    def check(case):
        count = case.query.get("count")
        if isinstance(count, int) and count > MANY:
            case.query["count"] = count % MANY + 1  # as allowed, and quicker
        response = case.call(timeout=60)
        calls[response.status_code] += 1
        assert response.status_code < 500, response.text
        case.validate_response(response)

    for found in schema.get_all_operations():
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            quickly = examples(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
            with suppress(Unsatisfiable):  # without parameters, no call is wrong
                quickly(given(case=found.ok().as_strategy(generation_mode=mode))(check))()
    print(f"calls by status: {dict(calls)}")
    assert calls[200] > 20
    assert calls[422] > 20
