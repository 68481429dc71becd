"""Which tables wait for a merge."""

from connectors.cdc.contract_check import ContractCheck
from connectors.cdc.merge import merge_table, pending_tables
from connectors.lake.contract_log import record_contracts
from connectors.lake.epoch_log import ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.postgres.contracts import ColumnContract
from connectors.postgres.replication import ServerIdentity
from connectors.settings import Settings
from tests.shop_lake import shop_contracts


def test_a_table_without_rows_waits_for_nothing_and_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    settings = Settings()
    layout = LakeLayout.of(settings)
    record_contracts(layout, shop_contracts(), 0)
    ensure_epoch(
        layout, slot="s", slot_exists=True, identity=ServerIdentity(system_identifier="1", timeline=1), tables=[]
    )

    assert pending_tables(settings) == []
    added = ColumnContract(name="since", type_name="date", fill="2026-01-01")
    wider = [
        c.model_copy(update={"columns": (*c.columns, added)}) for c in shop_contracts() if c.table_name == "orders"
    ]
    record_contracts(layout, wider, 1)
    assert [(p.table, p.since) for p in pending_tables(settings)] == [(wider[0].table, None)]
    merge_table(settings, wider[0].table, checked=ContractCheck(0))
    assert pending_tables(settings) == []
    with query_lake(settings, "select typeof(max(total)), typeof(max(since)), count(*) from silver.orders") as result:
        assert result.fetchall() == [("DECIMAL(38,2)", "DATE", 0)]
