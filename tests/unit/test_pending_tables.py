"""Which tables wait for a merge."""

from connectors.lake.contract_log import ensure_epoch, record_contracts
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.merge import pending_tables
from connectors.postgres.replication import ServerIdentity
from connectors.settings import Settings
from tests.shop_lake import shop_contracts


def test_a_table_without_rows_waits_for_nothing_and_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    settings = Settings()
    layout = LakeLayout(settings.lake.root, settings.cdc.source)
    record_contracts(layout, shop_contracts(), 0)
    ensure_epoch(
        layout, slot="s", slot_exists=True, identity=ServerIdentity(system_identifier="1", timeline=1), tables=[]
    )

    assert pending_tables(settings) == []
    with query_lake(settings, "select typeof(max(total)), count(*) from silver.orders") as result:
        assert result.fetchall() == [("DECIMAL(38,2)", 0)]
