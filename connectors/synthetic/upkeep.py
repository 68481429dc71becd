"""Traffic besides orders: customers, addresses, categories, products and stock are added, edited, removed."""

from decimal import Decimal
from typing import Any

from psycopg import sql

from connectors.synthetic.catalogue import address_details, customer_details, product_details
from connectors.synthetic.pools import LABELS, WAREHOUSES, pools
from connectors.synthetic.session import DEFAULT, Session, unused
from connectors.synthetic.values import price_cents


def register_customer(work: Session) -> None:
    """A new customer with an address."""
    rng = work.rng
    with work.transaction():
        email = f"{rng.getrandbits(64):016x}@example.org"
        customer = work.insert("customers", (DEFAULT, email, *customer_details(rng, created=work.now)))
        address = address_details(rng, is_default=True, at=work.now)
        work.insert("addresses", (DEFAULT, *customer.values(), *address))


def edit_customer(work: Session) -> None:
    """A customer logs in, changes preferences, or is written about."""
    rng = work.rng
    edits: tuple[dict[str, Any], ...] = (
        {"last_login_at": work.local},
        {"preferences": rng.choice(pools().preferences), "marketing_consent": rng.random() < 0.5},
        {"notes": rng.choice(pools().articles), "tags": ["vip", None, 'says "hi"', ""]},
        {"phone": None, "tags": []},
        {"loyalty_points": sql.SQL("loyalty_points + 10"), "status": "active"},
    )
    with work.transaction():
        work.update("customers", work.pick("customers"), **rng.choice(edits), updated_at=work.now)


def forget_customer(work: Session) -> None:
    """A customer without orders is deleted, addresses first."""
    with work.transaction():
        customer = work.pick("customers", condition=unused("customers", orders="customer_id"))
        work.delete("addresses", customer)
        work.delete("customers", customer)


def move_customer(work: Session) -> None:
    """A customer gets a new main address, or corrects one."""
    rng = work.rng
    with work.transaction():
        if rng.random() < 0.5:
            customer = work.pick("customers")
            work.update("addresses", customer | {"is_default": True}, is_default=False, updated_at=work.now)
            address = address_details(rng, is_default=True, at=work.now)
            work.insert("addresses", (DEFAULT, *customer.values(), *address))
        else:
            place = rng.choice(pools().places)
            work.update(
                "addresses",
                work.pick("addresses"),
                city=place.city,
                postcode=place.postcode,
                latitude=place.latitude if rng.random() < 0.7 else None,
                updated_at=work.now,
            )


def remove_address(work: Session) -> None:
    """An address is deleted; orders sent there forget it."""
    with work.transaction():
        address = work.pick("addresses")
        work.update("orders", {"shipping_address_id": address["address_id"]}, shipping_address_id=None)
        work.delete("addresses", address)


def add_category(work: Session) -> None:
    """A new category below another."""
    with work.transaction():
        parent = work.pick("categories")
        ((path,),) = work.rows("categories", parent, "path")
        name = f"{work.rng.choice(LABELS)} {work.today:%B}"
        work.insert("categories", (DEFAULT, *parent.values(), name, [*path, name], 99, True, work.now))


def edit_category(work: Session) -> None:
    """A category is renamed, moved to the front, or hidden."""
    edits = ({"name": work.rng.choice(LABELS)}, {"sort_order": 0}, {"is_active": sql.SQL("not is_active")})
    with work.transaction():
        work.update("categories", work.pick("categories"), **work.rng.choice(edits), updated_at=work.now)


def drop_category(work: Session) -> None:
    """A category with nothing in it is deleted."""
    with work.transaction():
        empty = unused("categories", products="category_id", categories="parent_id")
        work.delete("categories", work.pick("categories", condition=empty))


def add_product(work: Session) -> None:
    """A new product, in stock."""
    rng = work.rng
    with work.transaction():
        category = work.pick("categories")
        details = product_details(rng, cents=price_cents(rng), created=work.now)
        product = work.insert("products", (DEFAULT, *category.values(), f"N-{rng.getrandbits(48):012x}", *details))
        for warehouse in rng.sample(WAREHOUSES, rng.randint(1, 2)):
            work.insert("inventory", (*product.values(), warehouse, 100, 0, 10, "1.2345", None, work.now))


def edit_product(work: Session) -> None:
    """Changes the description, labels, rating or visibility of a product."""
    rng = work.rng
    edits: tuple[dict[str, Any], ...] = (
        {"description": rng.choice(pools().articles)},
        {"description": None, "is_active": False},
        {"labels": rng.sample(LABELS, 2), "attributes": '{"colour": "sage", "tags": ["a\\"b", "ü"], "n": 1.50}'},
        {"labels": None, "rating": rng.uniform(1, 5)},
        {"weight_kg": rng.uniform(0.1, 9), "rating": None},
    )
    with work.transaction():
        work.update("products", work.pick("products"), **rng.choice(edits), updated_at=work.now)


def change_price(work: Session) -> None:
    """One product costs more or less, or a whole category is on sale."""
    rng = work.rng
    with work.transaction():
        product = work.pick("products")
        if rng.random() < 0.1:
            category = work.rows("products", product, "category_id")[0][0]
            sale = sql.SQL("round(price * 0.9, 2)")
            work.update("products", {"category_id": category}, price=sale, updated_at=work.now)
        else:
            work.update("products", product, price=Decimal(price_cents(rng)) / 100, updated_at=work.now)


def withdraw_product(work: Session) -> None:
    """A product that was never sold is deleted, its stock first."""
    with work.transaction():
        product = work.pick("products", condition=unused("products", order_items="product_id"))
        work.delete("inventory", product)
        work.delete("products", product)


def restock(work: Session) -> None:
    """Goods arrive; sometimes in a warehouse that had none."""
    rng = work.rng
    with work.transaction():
        product = work.pick("products")
        warehouse = rng.choice(WAREHOUSES)
        more = sql.SQL("quantity + {}").format(rng.randint(1, 200))
        stock = product | {"warehouse": warehouse}
        if not work.update("inventory", stock, quantity=more, last_counted_at=work.local, updated_at=work.now):
            work.insert("inventory", (*stock.values(), 50, 0, 5, None, None, work.now))


def clear_stock(work: Session) -> None:
    """A product leaves one warehouse."""
    with work.transaction():
        work.delete("inventory", work.pick("inventory"))
