"""Which tables a pattern means."""

import pytest

from connectors.errors import ConfigurationError
from connectors.postgres.identifiers import TableName
from connectors.postgres.patterns import matches, select

ORDERS = TableName("public", "orders")


@pytest.mark.parametrize(
    ("pattern", "table", "meant"),
    [
        ("*.*", ORDERS, True),
        ("public.*", ORDERS, True),
        ("public.order?", ORDERS, True),
        ("public.order", ORDERS, False),
        ("Public.orders", ORDERS, False),
        ("*.Orders", ORDERS, False),
        ("sales.*", ORDERS, False),
        ("public.[a-z]*", ORDERS, False),
        ("public.[a]", TableName("public", "[a]"), True),
        ('"a.b".*', TableName("a.b", "c"), True),
        ('*."a ""x"""', TableName("public", 'a "x"'), True),
        ("*.*", TableName("a.b", "two\nlines"), True),
    ],
)
def test_patterns_mean_what_they_say(pattern: str, table: TableName, meant: bool) -> None:
    assert matches(pattern, table) is meant


@pytest.mark.parametrize("pattern", ["orders", "a.b.c", "", ".", 'a."b'])
def test_a_pattern_of_another_form_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not of the form schema\.table"):
        matches(pattern, ORDERS)


def test_tables_are_selected_once_and_sorted() -> None:
    tables = [TableName("b", "x"), TableName("a", "y"), TableName("c", "z")]
    assert select(("*.x", "b.*", "a.*"), tables) == [TableName("a", "y"), TableName("b", "x")]
