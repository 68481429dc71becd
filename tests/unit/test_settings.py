"""Settings mean the same wherever they are read, and refuse what could not work."""

import json

import pytest
from pydantic import ValidationError

from connectors.errors import ConfigurationError
from connectors.settings import LakeSettings, load_settings


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAKEHOUSE_HOME", raising=False)


def test_relative_root_is_made_absolute(tmp_path):
    assert LakeSettings(root="my lake").root == str(tmp_path / "my lake")


def test_slash_at_the_end_means_nothing():
    assert LakeSettings(root="s3://bucket/prefix/").root == "s3://bucket/prefix"


@pytest.mark.parametrize("root", ["/data/[a]", "/data/50%", "s3://bucket/a#b", "/data/*"])
def test_root_that_tables_can_not_lie_in_is_refused(root):
    with pytest.raises(ValidationError, match="can't address"):
        LakeSettings(root=root)


def test_environment_comes_before_the_local_stack(tmp_path, monkeypatch):
    (tmp_path / ".lakehouse").mkdir()
    stack = {"postgres": {"host": "127.0.0.1", "port": 20001}, "kafka": {"bootstrap_servers": "127.0.0.1:20002"}}
    (tmp_path / ".lakehouse" / "stack.json").write_text(json.dumps(stack))
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__HOST", "db.example")
    settings = load_settings()
    assert (settings.postgres.host, settings.kafka.bootstrap_servers) == ("db.example", "127.0.0.1:20002")


def test_tables_are_patterns_with_commas(monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_CDC__TABLES", "public.*, billing.invoices")
    assert load_settings().cdc.tables == ("public.*", "billing.invoices")


def test_password_is_never_shown(monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__PASSWORD", "hunter2")  # pragma: allowlist secret
    assert "hunter2" not in repr(load_settings())


def test_misspelt_setting_is_named(monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_CDC__TABELS", "public.*")
    with pytest.raises(ConfigurationError, match="LAKEHOUSE_CDC__TABELS"):
        load_settings()


def test_wrong_value_is_named_without_the_secret_beside_it(monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__PORT", "many")
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__PASSWORD", "hunter2")  # pragma: allowlist secret
    with pytest.raises(ConfigurationError, match="LAKEHOUSE_POSTGRES__PORT") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
