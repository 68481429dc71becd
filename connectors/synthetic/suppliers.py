"""Price lists of the shop's suppliers, as they send them: late, corrected, and now and then malformed."""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

SUPPLIERS = ("alpen", "baltic", "corvus", "delta")
_LISTS = 3
_DAYS = 30


@dataclass(frozen=True)
class ListedProduct:
    """A product that a supplier has."""

    product_id: int
    sku: str
    name: str
    cost: float


def supplier_of(product_id: int) -> str:
    """The supplier of a product."""
    return SUPPLIERS[product_id % len(SUPPLIERS)]


def price_lists(products: Sequence[ListedProduct], *, last: date, seed: int) -> dict[str, bytes]:
    """Returns the lists of the last months by key, each valid from its day on; and one that is malformed."""
    found = {}
    for number in range(_LISTS):
        valid_from = last - timedelta(days=_DAYS * (number + 1))
        for supplier in SUPPLIERS:
            own = [p for p in products if supplier_of(p.product_id) == supplier]
            found[_key(supplier, valid_from)] = _list(own, valid_from=valid_from, seed=seed)
    broken = _list(products[:20], valid_from=last, seed=seed)
    # A quote that is never closed, and a row that lost a field.
    found["suppliers/alpen/malformed.csv"] = broken.replace(b"P-", b'"P-', 1).replace(b";EUR", b"", 1)
    return found


def later_lists(products: Sequence[ListedProduct], *, last: date, seed: int) -> dict[str, bytes]:
    """Returns what comes later: a list that is late, and one that replaces a wrong one under the same key."""
    own = {s: [p for p in products if supplier_of(p.product_id) == s] for s in SUPPLIERS}
    late, wrong = last - timedelta(days=_DAYS // 2), last - timedelta(days=_DAYS)
    return {
        _key("baltic", late): _list(own["baltic"], valid_from=late, seed=seed + 1),
        _key("corvus", wrong): _list(own["corvus"], valid_from=wrong, seed=seed + 2),
    }


def _key(supplier: str, day: date) -> str:
    return f"suppliers/{supplier}/prices-{day}.csv"


def _list(products: Sequence[ListedProduct], *, valid_from: date, seed: int) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(("SKU", "Product ID", "Description", "Cost", "Currency", "Valid From"))
    for product in products:
        rng = random.Random(f"cost {seed} {product.product_id} {valid_from}")
        text = f'{product.name}\nsays "new"' if rng.random() < 0.1 else product.name
        cost = product.cost * rng.uniform(0.9, 1.1)
        writer.writerow((product.sku, product.product_id, text, f"{cost:.4f}", "EUR", valid_from.isoformat()))
    return out.getvalue().encode()
