"""A lake lists the sources that are registered in it."""

import json

from typer.testing import CliRunner

from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import record_contracts
from connectors.lake.epoch_log import ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.postgres.replication import ServerIdentity
from deployments.cli import app
from tests.events import raw_batch
from tests.silver_lake import KEYED


def sources(*arguments):
    return CliRunner().invoke(app, ["sources", *arguments])


def test_sources_are_listed_with_their_tables(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    assert json.loads(sources("--json").stdout) == []
    assert "lakehouse source register" in sources().stderr
    for name in ("shop", "billing"):
        layout = LakeLayout(str(tmp_path / "lake"), name)
        record_contracts(layout, [KEYED], 0)
        here = ServerIdentity(system_identifier="1", timeline=1)
        ensure_epoch(layout, slot=name, slot_exists=False, identity=here, tables=[KEYED.table])
    BronzeLog(LakeLayout(str(tmp_path / "lake"), "shop")).append(raw_batch([(b"k", b"{}", [])]), tables={})
    found = {source["name"]: source for source in json.loads(sources("--json").stdout)}
    assert list(found) == ["billing", "shop"]
    assert found["shop"] == {"name": "shop", "epoch": 1, "tables": ["public.t"], "batch": 1, "through_lsn": 0}
    assert "shop" in sources().stdout
