"""The lake's memory of its source."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.changes.markers import Marker
from connectors.changes.order import Position
from connectors.lake.contract_log import contract_versions, latest_contracts, latest_versions, record_contracts
from connectors.lake.epoch_log import current_epoch, current_slot_epoch, ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.silver.baseline import PENDING, Baseline, BaselineKind
from connectors.postgres.contracts import ColumnContract, TableContract
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import ServerIdentity

HERE = ServerIdentity("7711372908697706219", 1)


@pytest.fixture
def layout(tmp_path: Path) -> LakeLayout:
    return LakeLayout(str(tmp_path / "the lake"), "shop")


def contract(table: str = "orders", *columns: str) -> TableContract:
    return TableContract(
        schema_name="public",
        table_name=table,
        columns=tuple(ColumnContract(name=name, type_name="int4") for name in ("id", *columns)),
        key=("id",),
    )


def test_nothing_is_known_before_the_first_registration(layout: LakeLayout) -> None:
    assert latest_contracts(layout) == {}
    assert current_epoch(layout) is None


def test_an_unchanged_contract_is_not_recorded_again(layout: LakeLayout) -> None:
    orders = TableName("public", "orders")
    assert record_contracts(layout, [contract()], 100) == [orders]
    assert record_contracts(layout, [contract()], 200) == []
    assert [v.version for v in contract_versions(layout)[orders]] == [1]


def test_the_first_version_holds_from_the_beginning(layout: LakeLayout) -> None:
    record_contracts(layout, [contract()], 100)
    record_contracts(layout, [contract("orders", "total")], 2**62)
    versions = contract_versions(layout)[TableName("public", "orders")]
    assert [(v.version, v.valid_from_lsn) for v in versions] == [(1, 0), (2, 2**62)]
    assert latest_contracts(layout)[TableName("public", "orders")] == contract("orders", "total")


def test_of_two_resyncs_at_once_the_one_that_began_later_counts(layout: LakeLayout) -> None:
    def resync(after: int) -> Baseline:
        return Baseline(BaselineKind.RESYNC, 3, Position(1, after, 0, 0))

    assert record_contracts(layout, [contract()], 10) != []
    assert record_contracts(layout, [contract()], 70, baseline=resync(60), force=True) != []
    assert record_contracts(layout, [contract()], 80, baseline=resync(50), force=True) == []
    newest = latest_versions(layout)[TableName("public", "orders")].baseline
    assert newest == replace(resync(60), complete_at=Marker(1, 70))
    assert record_contracts(layout, [contract()], 90, baseline=PENDING, force=True) != []


def test_a_contract_alone_keeps_the_baseline_that_there_is_by_then(layout: LakeLayout) -> None:
    orders = TableName("public", "orders")
    record_contracts(layout, [contract()], 10)
    record_contracts(layout, [contract()], 20, baseline=PENDING, force=True)
    assert record_contracts(layout, [contract("orders", "total")], 30) == [orders]
    assert latest_versions(layout)[orders].baseline == PENDING


def test_weird_table_names_come_back_as_they_were(layout: LakeLayout) -> None:
    weird = TableContract(schema_name='a."b', table_name="Ü x", columns=(), key=())
    record_contracts(layout, [weird], 1)
    assert latest_contracts(layout) == {TableName('a."b', "Ü x"): weird}


def test_an_existing_slot_keeps_its_epoch(layout: LakeLayout) -> None:
    first = ensure_epoch(layout, slot="lakehouse_shop", slot_exists=False, identity=HERE, tables=[])
    again = ensure_epoch(layout, slot="lakehouse_shop", slot_exists=True, identity=HERE, tables=[])
    assert first == again == current_slot_epoch(layout)
    assert first.epoch == 1


@pytest.mark.parametrize(
    ("slot_exists", "identity"),
    [(False, HERE), (True, ServerIdentity("7711372908697706219", 2)), (True, ServerIdentity("8", 1))],
    ids=["slot gone", "failover", "other server"],
)
def test_another_slot_begins_another_epoch(layout: LakeLayout, slot_exists: bool, identity: ServerIdentity) -> None:
    first = ensure_epoch(layout, slot="lakehouse_shop", slot_exists=False, identity=HERE, tables=[])
    second = ensure_epoch(layout, slot="lakehouse_shop", slot_exists=slot_exists, identity=identity, tables=[])
    assert (first.epoch, second.epoch, current_epoch(layout)) == (1, 2, 2)
    assert second.placeholder == first.placeholder


def test_each_source_has_a_placeholder_of_its_own(layout: LakeLayout) -> None:
    other = LakeLayout(layout.root, "other")
    lives = [ensure_epoch(at, slot="s", slot_exists=False, identity=HERE, tables=[]) for at in (layout, other)]
    assert lives[0].placeholder != lives[1].placeholder


def test_racing_writers_number_their_versions_apart(layout: LakeLayout) -> None:
    tables = [f"t{number}" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: record_contracts(layout, [contract("orders", name)], 1), tables))
    versions = contract_versions(layout)[TableName("public", "orders")]
    assert [v.version for v in versions] == [1, 2, 3, 4]
