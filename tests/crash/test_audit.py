"""The audit after a fault finds what a fault may leave behind."""

import shutil

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from connectors.lake.layout import LakeLayout
from connectors.postgres.identifiers import TableName
from tests.crash.audit import Verdict
from tests.crash.source import BULK
from tests.crash.world import World


@pytest.fixture
def copy(world, tmp_path):
    """A world with a copy of the lake, in which all is well."""
    shutil.copytree(world.settings.lake.root, tmp_path / "copy")
    copy = World(world.source, str(tmp_path / "copy"))
    assert copy.audit() == Verdict()
    return copy


def delta(world, table):
    layout = LakeLayout.of(world.settings)
    return DeltaTable(layout.silver(table) if isinstance(table, TableName) else layout.bronze)


def again(table, **changed):
    """Appends the first row of a table once more."""
    row = {**table.to_pyarrow_table().slice(0, 1).to_pylist()[0], **changed}
    write_deltalake(table, pa.Table.from_pylist([row], schema=pa.schema(table.schema().to_arrow())), mode="append")


def counts(verdict):
    return verdict.lost, verdict.doubled, verdict.regressed


def test_a_row_that_silver_lost(copy):
    delta(copy, BULK).delete("id = 0")
    assert counts(copy.audit(everything=True)) == (1, 0, 0)


def test_a_row_that_silver_has_twice(copy):
    again(delta(copy, BULK))
    verdict = copy.audit(everything=True)
    assert verdict.doubled > 0
    assert (verdict.lost, verdict.regressed) == (0, 0)


def test_a_deleted_row_of_a_key_that_silver_has(copy):
    again(delta(copy, BULK), _cdc_deleted=True)
    assert counts(copy.audit(everything=True)) == (0, 1, 0)


def test_a_message_that_bronze_has_twice(copy):
    bronze = delta(copy, "bronze")
    again(bronze, batch=bronze.transaction_version("v1/batch") + 1)
    assert counts(copy.audit(everything=True)) == (0, 1, 0)


@pytest.mark.parametrize("table", [BULK, "bronze"], ids=["silver", "bronze"])
def test_progress_that_went_back(copy, table):
    spoiled = delta(copy, table)
    back = Transaction("v1/batch", spoiled.transaction_version("v1/batch") - 1)
    nothing = pa.schema(spoiled.schema().to_arrow()).empty_table()
    write_deltalake(spoiled, nothing, mode="append", commit_properties=CommitProperties(app_transactions=[back]))
    assert counts(copy.audit(everything=True)) == (0, 0, 1)
