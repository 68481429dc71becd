"""`lakehouse generate`, as a script or a person uses it."""

import json

import pytest
from typer.testing import CliRunner

from deployments.cli import app


@pytest.fixture
def lakehouse(database, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__HOST", database.host)
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__PORT", str(database.port))
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__USER", database.user)
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__DATABASE", database.database)
    if database.password is not None:
        monkeypatch.setenv("LAKEHOUSE_POSTGRES__PASSWORD", database.password.get_secret_value())

    def run(*arguments, **options):
        return CliRunner().invoke(app, ["generate", *arguments], **options)

    return run


def test_shop_prints_rows_by_table(lakehouse):
    result = lakehouse("shop", "--orders", "200", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["orders"] == 200


def test_filled_shop_stays(lakehouse):
    lakehouse("shop", "--orders", "200")
    result = lakehouse("shop", "--orders", "200")
    assert result.exit_code == 1
    assert "filled already" in result.stderr


def test_reset_asks_first(lakehouse):
    lakehouse("shop", "--orders", "200")
    assert lakehouse("shop", "--orders", "60", "--reset", input="n\n").exit_code == 1
    result = lakehouse("shop", "--orders", "60", "--reset", "--yes", "--json")
    assert json.loads(result.stdout)["orders"] == 60


def test_traffic_prints_counts(lakehouse):
    lakehouse("shop", "--orders", "200")
    result = lakehouse("traffic", "--transactions", "20", "--hard-cases", "2", "--json")
    counts = json.loads(result.stdout)
    assert counts["transactions"] >= 30
    assert min(counts["hard_cases"].values()) >= 2


def test_traffic_ends_after_its_time(lakehouse):
    lakehouse("shop", "--orders", "200")
    result = lakehouse("traffic", "--seconds", "0.5", "--rate", "20")
    assert result.exit_code == 0, result.output
    assert "transactions" in result.stdout


def test_traffic_on_an_empty_database_says_what_to_do(lakehouse):
    result = lakehouse("traffic", "--transactions", "1")
    assert result.exit_code == 1
    assert "hint: Fill it with `lakehouse generate shop`." in result.stderr
