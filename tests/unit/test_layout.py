"""Names of tables become names of folders, distinct and short enough for any file system."""

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from connectors.lake.layout import log_name
from connectors.postgres.identifiers import TableName

LONG = TableName("ж" * 31, "ш" * 31)


@pytest.mark.parametrize("table", [TableName("public", "orders"), TableName("a.b", 'c "d"'), TableName("o" * 63, "ж")])
def test_change_log_calls_a_table_by_its_name(table):
    assert log_name(table) == str(table)


def test_name_too_long_for_a_folder_is_shortened_and_stays_its_own(tmp_path):
    names = [log_name(table) for table in (LONG, LONG._replace(name="ш" * 30 + "щ"), TableName("🚂" * 15, "é " * 20))]
    assert len(set(names)) == len(names)
    assert names[0].startswith("ж" * 31 + ".ш")
    write_deltalake(tmp_path / "log", pa.table({"source_table": names, "n": names}), partition_by=["source_table"])
