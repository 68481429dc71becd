"""The synthetic shop over HTTP: generate rows of every kind, and start and stop traffic.

POST /api/generate/orders?count=5000        5,000 orders into PostgreSQL, with what they refer to
POST /api/generate/customers?target=return  customers as lines of JSON
POST /api/traffic?rate=20                   traffic of 20 transactions per second, until DELETE /api/traffic
"""

import hmac
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field, SecretStr
from starlette.exceptions import HTTPException

from connectors.errors import ConfigurationError, LakehouseError, TransientError
from connectors.postgres.connection import connect
from connectors.settings import Settings
from connectors.synthetic.additions import ShopAdditions
from connectors.synthetic.generate import generate_rows
from connectors.synthetic.running import RunningTraffic, TrafficStatus
from connectors.synthetic.shop import COLUMNS, KEYS
from connectors.synthetic.sinks import ShopStore, as_item, as_objects, compressed, json_lines, object_key
from connectors.synthetic.sources import SourceFiller

MOST_ROWS = 1_000_000
_PROBLEM = "application/problem+json"
_CHUNK = 5_000

Entity = Literal[
    "customers",
    "addresses",
    "categories",
    "products",
    "inventory",
    "orders",
    "order_items",
    "payments",
    "shipments",
    "returns",
]
Target = Literal["postgres", "dynamodb", "s3", "return"]
Seed = Annotated[int, Query(ge=0, le=2**31 - 1, description="The same seed makes the same rows.")]


class Generated(BaseModel):
    """What was written."""

    target: str = Field(examples=["postgres"])
    rows: dict[str, int] = Field(description="Rows by table.", examples=[{"orders": 5000, "order_items": 15082}])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["count: Input should be less than or equal to 1000000"])


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {_PROBLEM: {"schema": Problem.model_json_schema()}}, "description": why}
    for status, why in {
        401: "The token is missing or wrong.",
        409: "The database, DynamoDB or S3 can't be used as it is.",
        422: "A parameter is wrong.",
        503: "The database, DynamoDB or S3 does not answer.",
    }.items()
}


def make_app(settings: Settings, *, hosts: list[str]) -> FastAPI:
    """Makes the application.

    Args:
        settings: The shop's database, DynamoDB and S3, and the token that callers need.
        hosts: Names that the server may be called by; a page of another site must not reach it under its own.
    """
    app = FastAPI(
        title="Synthetic shop",
        description="Generates rows of a web shop, and traffic. Every call keeps the references between rows intact.",
        version="1",
        dependencies=[] if settings.api.token is None else [Depends(_guard(settings.api.token))],
        responses=_PROBLEMS,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    traffic = RunningTraffic(settings.postgres)
    app.state.traffic = traffic
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(LakehouseError, _failed)

    @app.post(
        "/api/generate/{entity}",
        response_model=Generated,
        responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
        summary="Generate rows",
    )
    def generate(
        entity: Entity,
        count: Annotated[
            int, Query(ge=1, le=MOST_ROWS, description="How many; of sales, at least.", examples=[1000])
        ] = 100,
        seed: Seed = 7,
        target: Annotated[Target, Query(description="Where they go; `return`: they are the answer.")] = "postgres",
    ) -> Any:
        """Generates rows with everything that they refer to: orders bring customers and products, if there are none.

        Items, payments, shipments and returns come with their orders: as many orders are placed as it takes. In
        PostgreSQL the rows refer to those that are there; elsewhere they are the first ones of a shop of their own,
        which has some forty categories.
        """
        if target == "postgres":
            with connect(settings.postgres) as connection:
                return Generated(target=target, rows=dict(ShopAdditions(connection, seed=seed).add(entity, count)))
        rows = islice(_rows(entity, count, seed), count)
        if target == "return":
            return StreamingResponse(json_lines(rows), media_type="application/x-ndjson")
        store = ShopStore(settings.aws)
        return Generated(target=target, rows={entity: _write(store, target, entity, rows)})

    @app.post("/api/sources", response_model=Generated, summary="Fill DynamoDB and S3")
    def fill(
        days: Annotated[int, Query(ge=1, le=366, description="So many days, up to the newest order.")] = 7,
        seed: Seed = 7,
    ) -> Generated:
        """Fills DynamoDB with sessions and carts, S3 with clicks, parcels and price lists, as the orders have them."""
        with connect(settings.postgres) as connection:
            counts = SourceFiller(connection, settings.aws, days=days, seed=seed).fill()
        return Generated(target="dynamodb and s3", rows=dict(counts))

    @app.post("/api/traffic", response_model=TrafficStatus, summary="Start traffic, or change its rate")
    def start(
        rate: Annotated[float, Query(ge=0.01, le=10_000, description="Transactions per second.", examples=[20])] = 20,
        seed: Seed = 7,
    ) -> TrafficStatus:
        """Starts traffic on the shop in PostgreSQL; of traffic that goes on, changes the rate."""
        return traffic.start(rate=rate, seed=seed)

    @app.delete("/api/traffic", response_model=TrafficStatus, summary="Stop traffic")
    def stop() -> TrafficStatus:
        """Stops the traffic after the transaction that is open; does nothing if there is none."""
        return traffic.stop()

    @app.get("/api/traffic", response_model=TrafficStatus, summary="Traffic so far")
    def status() -> TrafficStatus:
        """Says whether traffic goes on, and what it has done."""
        return traffic.status()

    return app


def _rows(entity: Entity, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yields rows of one table of a shop that has enough of them."""
    size = {"customers": 4, "addresses": 4, "products": 25, "inventory": 25, "categories": 1, "returns": 20}
    orders = max(100, count * size.get(entity, 1))
    for table, rows in generate_rows(orders=orders, seed=seed):
        if table == entity:
            yield from as_objects(rows, COLUMNS[table])


def _write(store: ShopStore, target: Target, entity: Entity, rows: Iterator[dict[str, Any]]) -> int:
    key, written = KEYS[entity], 0
    if target == "s3":
        store.create_bucket()
    else:
        store.create_table(entity, key)
    while chunk := list(islice(rows, _CHUNK)):
        if target == "s3":
            store.put_object(object_key(entity), compressed(chunk))
        else:
            store.put_items(entity, [as_item(row, key) for row in chunk])
        written += len(chunk)
    return written


def _guard(wanted: SecretStr) -> Any:
    """Returns what refuses callers without the token."""

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]) -> None:
        shown = "" if given is None else given.credentials
        if not hmac.compare_digest(shown.encode(), wanted.get_secret_value().encode()):
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED, "the token is missing or wrong", {"WWW-Authenticate": "Bearer"}
            )

    return check


def _problem(status: int, detail: str, headers: Any = None) -> Response:
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(problem.model_dump(), status, headers=headers, media_type=_PROBLEM)


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for these
    wrong = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()]
    return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(wrong))


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    return _problem(error.status_code, str(error.detail), error.headers)


def _failed(_request: Request, error: Exception) -> Response:
    transient = isinstance(error, TransientError)
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE if transient else HTTPStatus.CONFLICT, str(error))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    return host in ("127.0.0.1", "::1", "localhost")


def allowed_hosts(settings: Settings, host: str) -> list[str]:
    """Returns the names that a server may be called by.

    Raises:
        ConfigurationError: Others than this machine would reach it without a token.
    """
    if is_loopback(host):
        return ["127.0.0.1", "localhost", "[::1]"]
    if settings.api.token is None:
        raise ConfigurationError(
            f"on {host} everybody in the network could write to the shop",
            hint="set LAKEHOUSE_API__TOKEN, or listen on 127.0.0.1",
        )
    return ["*"]
