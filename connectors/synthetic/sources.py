"""The shop beyond PostgreSQL: fills DynamoDB and S3 with what fits its customers, products and orders."""

import io
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.errors import ConfigurationError
from connectors.settings import AwsSettings
from connectors.synthetic.shop import is_filled
from connectors.synthetic.sinks import ShopStore, compressed
from connectors.synthetic.suppliers import ListedProduct, later_lists, price_lists
from connectors.synthetic.visits import Item, OrderLine, PlacedOrder, Visit, visits_of

ITEM_TABLES = {"sessions": "session_id", "carts": "cart_id"}
"""Tables of DynamoDB, with their keys."""

_ORDERS = """
select o.order_id, o.customer_id, o.placed_at, array_agg(array[i.product_id, i.quantity, (i.unit_price * 100)::bigint]
    order by i.line_no)
from public.orders o join public.order_items i using (order_id)
where o.placed_at >= %(since)s and o.placed_at < %(until)s group by 1 order by 1
"""
_PARCELS = """
select tracking_id::text, order_id, carrier, promised_on, delivered_at at time zone 'Europe/Berlin', status::text,
    weight_kg, shipped_at
from public.shipments where shipped_at >= %(since)s and shipped_at < %(until)s order by 1
"""
_PARCEL_COLUMNS = pa.schema(
    [
        ("tracking_id", pa.string()),
        ("order_id", pa.int64()),
        ("carrier", pa.string()),
        ("promised_on", pa.date32()),
        ("delivered_at", pa.timestamp("us", tz="UTC")),
        ("status", pa.string()),
        ("weight_kg", pa.float64()),
        ("scans", pa.list_(pa.struct([("at", pa.timestamp("us", tz="UTC")), ("depot", pa.string())]))),
    ]
)


class SourceFiller:
    """Fills a bucket and the tables of DynamoDB, for the last days of a shop.

    Args:
        conn: Connection to the shop's database.
        aws: Where S3 and DynamoDB are.
        days: So many days before the newest order.
        seed: The same seed makes the same of the same orders.

    Raises:
        ConfigurationError: The shop is empty, or AWS refuses.
    """

    def __init__(self, conn: psycopg.Connection[Any], aws: AwsSettings, *, days: int, seed: int) -> None:
        if not is_filled(conn):
            raise ConfigurationError("the shop is empty", hint="fill it with `lakehouse generate shop`")
        self._conn = conn
        self._seed = seed
        self._store = ShopStore(aws)
        [(newest,)] = conn.execute("select max(placed_at) from public.orders").fetchall()
        self._last: date = newest.astimezone(UTC).date()
        self._range = {"since": self._last - timedelta(days=days - 1), "until": self._last + timedelta(days=1)}
        self.counts: Counter[str] = Counter()

    def fill(self) -> Counter[str]:
        """Creates and fills everything; what is there already is written again, the same. Returns what was written."""
        self._create()
        visits = list(visits_of(list(self._orders()), seed=self._seed))
        self._put_items("sessions", [visit.session for visit in visits])
        self._put_items("carts", [visit.cart for visit in visits if visit.cart is not None])
        for hour, clicks in _by_hour(visits).items():
            self._put_clicks(hour, clicks)
        self._put_parcels()
        for key, content in price_lists(list(self._products()), last=self._last, seed=self._seed).items():
            self._put("price lists", key, content)
        return self.counts

    def change(self) -> Counter[str]:
        """Changes what `fill` wrote, as time would: late and corrected files, changed and expired items."""
        rng = random.Random(f"later {self._seed}")
        visits = list(visits_of(list(self._orders()), seed=self._seed))
        carts = [visit.cart for visit in visits if visit.cart is not None]
        later = (self._last + timedelta(days=1)).isoformat()
        self._put_items(
            "carts", [{**c, "updated_at": {"S": later}, "note": {"S": "?"}} for c in carts if rng.random() < 0.1]
        )
        for visit in visits:
            if rng.random() < 0.05:
                self._expire("sessions", visit.session)
        hours = _by_hour(visits)
        for hour in rng.sample(sorted(hours), min(3, len(hours))):
            # Some clicks arrived late: the object is written again, with them.
            late = [{**click, "event_id": f"{click['event_id']}/late", "late": True} for click in hours[hour][:5]]
            self._put_clicks(hour, [*hours[hour], *late])
        for key, content in later_lists(list(self._products()), last=self._last, seed=self._seed).items():
            self._put("price lists", key, content)
        return self.counts

    def _create(self) -> None:
        self._store.create_bucket()
        for name, key in ITEM_TABLES.items():
            self._store.create_table(name, (key,))

    def _orders(self) -> Iterator[PlacedOrder]:
        for order_id, customer_id, placed_at, lines in self._conn.execute(_ORDERS, self._range):
            yield PlacedOrder(order_id, customer_id, placed_at.astimezone(UTC), tuple(OrderLine(*n) for n in lines))

    def _products(self) -> Iterator[ListedProduct]:
        query = "select product_id, sku, name, coalesce(cost, price / 2)::float8 from public.products order by 1"
        for row in self._conn.execute(query):
            yield ListedProduct(*row)

    def _put(self, what: str, key: str, content: bytes) -> None:
        self._store.put_object(key, content)
        self.counts[what] += 1

    def _put_clicks(self, hour: datetime, clicks: Sequence[dict[str, Any]]) -> None:
        key = f"clickstream/{hour:%Y/%m/%d/%H}.jsonl.gz"
        self._put("click objects", key, compressed(clicks))
        self.counts["clicks"] += len(clicks)

    def _put_parcels(self) -> None:
        by_day: dict[date, list[tuple[Any, ...]]] = defaultdict(list)
        for *row, shipped in self._conn.execute(_PARCELS, self._range):
            scans = [{"at": shipped + timedelta(hours=6 * n), "depot": depot} for n, depot in enumerate(("A1", "B7"))]
            by_day[shipped.astimezone(UTC).date()].append((*row, scans))
        for day, rows in by_day.items():
            names = _PARCEL_COLUMNS.names
            table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], _PARCEL_COLUMNS)
            out = io.BytesIO()
            pq.write_table(table, out)
            self._put("parcel objects", f"parcels/{day:%Y/%m/%d}.parquet", out.getvalue())

    def _put_items(self, table: str, items: Sequence[Item]) -> None:
        self._store.put_items(table, items)
        self.counts[table] += len(items)

    def _expire(self, table: str, item: Item) -> None:
        key = ITEM_TABLES[table]
        self._store.delete_item(table, {key: item[key]})
        self.counts[f"expired {table}"] += 1


def _by_hour(visits: Iterable[Visit]) -> dict[datetime, list[dict[str, Any]]]:
    hours: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
    for visit in visits:
        for at, click in visit.clicks:
            hours[at.replace(minute=0, second=0, microsecond=0)].append(click)
    return hours
