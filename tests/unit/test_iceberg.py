"""Iceberg tables show what the Delta tables do, whatever happens on the way, and vacuum takes nothing from them."""

import datetime as dt
import decimal
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from typer.testing import CliRunner

from connectors.cdc.iceberg import compare, iceberg_tables, migrate, mirror
from connectors.cdc.maintenance import maintain_table
from connectors.cdc.merge import merge_table
from connectors.errors import ConfigurationError
from connectors.failpoints import VARIABLE
from connectors.lake.contract_log import record_contracts
from connectors.lake.iceberg.catalogs import open_catalog
from connectors.lake.iceberg.claims import read_claim
from connectors.lake.iceberg.compare import compare_readers
from connectors.lake.iceberg.mirror import mirror_table
from connectors.lake.maintenance.cleaning import clean_log, vacuum
from connectors.lake.maintenance.files import compact
from connectors.lake.storage import open_table
from connectors.postgres.contracts import ColumnContract
from connectors.settings import IcebergSettings, LakeSettings, Settings
from deployments.cli import app
from tests.events import event
from tests.lake import as_recorded
from tests.silver_lake import KEYED, KEYLESS, row
from tests.unit.test_rebuild import TABLE, Source

NAME = ("silver_iceberg", "t")
LONG_AGO = time.time() - 5 * 24 * 3600


@pytest.fixture(params=[KEYED, KEYLESS], ids=["keyed", "keyless"])
def source(tmp_path, monkeypatch, request):
    """A merged table with one row; the catalogue is a file in the same folder."""
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    source = Source(str(tmp_path / "lake"), request.param)
    source.lsn = 0
    change(source, row(1, "a", "x"))
    return source


def change(source, image, op="c"):
    source.lsn += 10
    before = row(image["id"], "a", "x") if op == "u" else None
    source.receive(event(op, image, lsn=source.lsn, prev=source.lsn - 5, before=before))
    merge_table(source.settings, TABLE, checked=as_recorded(source.settings))


def rows(source, columns=("id", "name", "big")):
    """What pyiceberg reads."""
    scan = open_catalog(source.settings).load_table(NAME).scan(selected_fields=columns)
    return sorted((tuple(r[c] for c in columns) for r in scan.to_arrow_batch_reader().read_all().to_pylist()), key=repr)


def run_killed(source, home, point, what):
    """Mirrors or migrates in a process that dies at a failpoint."""
    code = f"""
from connectors.cdc.iceberg import {what}
from connectors.settings import CdcSettings, LakeSettings, Settings
{what}(Settings(lake=LakeSettings(root={source.settings.lake.root!r}), cdc=CdcSettings(source="s")), "public.t")
"""
    environment = {**os.environ, VARIABLE: point, "LAKEHOUSE_HOME": str(home)}
    killed = subprocess.run([sys.executable, "-c", code], check=False, env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()


def agree(found):
    return len({(count.rows, count.checksum) for count in found}) == 1


def age(*folders):
    for folder in folders:
        for path in Path(folder).iterdir():
            os.utime(path, (LONG_AGO, LONG_AGO))


def test_mirror_follows_every_commit(source):
    first = mirror(source.settings, "public.t")
    assert (first.added, first.removed, first.owner) == (1, 0, "Delta")
    assert rows(source) == [(1, "a", "x")]
    change(source, row(2, "b", "y"))
    change(source, row(1, "A", "x"), op="u")
    mirror(source.settings, "public.t")
    found = compare(source.settings, "public.t")
    assert agree(found)
    assert found[0].rows == (2 if source.contract.key else 4)
    again = mirror(source.settings, "public.t")
    assert (again.added, again.removed) == (0, 0)


def test_mirror_follows_columns_compaction_and_rebuilt_files(source):
    mirror(source.settings, "public.t")
    added = ColumnContract(name="since", type_name="date", number=9)
    record_contracts(source.layout, [source.contract.model_copy(update={"columns": (*KEYED.columns, added)})], 1)
    for n in range(2, 6):
        change(source, {**row(n, "b", "y"), "since": 20_000 + n})
    compact(source.layout.silver(TABLE), target=8 * 2**20, at_least=2, dry_run=False)
    mirror(source.settings, "public.t")
    day = dt.date(1970, 1, 1) + dt.timedelta(days=20_005)
    assert rows(source, ("id", "since"))[0] == (1, None)
    assert (5, day) in rows(source, ("id", "since"))
    assert agree(compare(source.settings, "public.t"))


def test_one_snapshot_takes_it_from_any_version_to_the_newest(source):
    for n in range(2, 5):
        change(source, row(n, "b", "y"))
    mirror(source.settings, "public.t")
    assert len(open_catalog(source.settings).load_table(NAME).snapshots()) == 1
    assert len(rows(source)) == 4


def test_partitioned_table_keeps_the_values_of_its_partitions(tmp_path, monkeypatch):
    """They are in Delta's log alone: taken from the files, they would all be NULL."""
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path))
    settings = Settings(lake=LakeSettings(root=str(tmp_path / "lake")))
    uri, name = f"{tmp_path}/lake/silver/files/parts", ("files_iceberg", "parts")
    table = pa.table(
        {
            "id": [1, 2, 3],
            "kind": ["a", None, "b c/d"],
            "day": [dt.date(2026, 1, 1), dt.date(1969, 12, 31), None],
            "n": pa.array([7, 8, None], pa.int64()),
            "price": pa.array([decimal.Decimal("1.10")] * 3, pa.decimal128(38, 2)),
            "pairs": pa.array([[("a", b"x")], [], None], pa.map_(pa.string(), pa.binary())),
            "several": pa.array([["a"], [], None], pa.list_(pa.string())),
        }
    )
    write_deltalake(uri, table, partition_by=["kind", "day", "n"])
    mirror_table(settings, "files.parts", uri, name)
    target = open_catalog(settings).load_table(name)
    found = target.scan().to_arrow_batch_reader().read_all().select(table.column_names).sort_by("id").to_pylist()
    assert found == table.to_pylist()
    assert len(list(target.scan(row_filter="kind = 'b c/d'").plan_files())) == 1
    assert len(list(target.scan(row_filter="day < '1970-01-01'").plan_files())) == 1
    assert agree(compare_readers(settings, uri, name))


def test_bronze_is_mirrored(source):
    change(source, row(2, "b", "y"))
    mirror(source.settings, "bronze")
    found = open_catalog(source.settings).load_table(("bronze_iceberg", "s_changes")).scan().to_arrow()
    assert sorted(found["batch"].to_pylist()) == [1, 2]
    assert set(found["source_table"].to_pylist()) == {"public.t"}


def test_vacuum_keeps_what_the_mirror_reads(source):
    uri = source.layout.silver(TABLE)
    for n in range(2, 5):
        change(source, row(n, "b", "y"))
    mirror(source.settings, "public.t")
    before = rows(source)
    compact(uri, target=8 * 2**20, at_least=2, dry_run=False)
    if source.contract.key:
        change(source, row(1, "A", "x"), op="u")
    vacuum(uri, hours=0, dry_run=False)
    assert rows(source) == before
    mirror(source.settings, "public.t")
    assert agree(compare(source.settings, "public.t"))
    # Behind the mirror, they can go.
    assert vacuum(uri, hours=0, dry_run=False) is not None
    assert agree(compare(source.settings, "public.t"))


def test_log_keeps_the_version_that_the_mirror_reads(source):
    uri = source.layout.silver(TABLE)
    mirror(source.settings, "public.t")
    for n in range(3):
        change(source, row(n, f"b {n}", "y"))
    open_table(uri).create_checkpoint()
    age(f"{uri}/_delta_log")
    assert clean_log(uri, days=2, dry_run=False) is None
    assert vacuum(uri, hours=0, dry_run=False) is None or rows(source) == [(1, "a", "x")]
    assert agree(compare(source.settings, "public.t"))
    mirror(source.settings, "public.t")
    assert clean_log(uri, days=2, dry_run=False) is not None
    assert agree(compare(source.settings, "public.t"))


@pytest.mark.parametrize("point", ["iceberg-claimed", "iceberg-committed"])
def test_killed_anywhere_it_is_run_again(source, point, tmp_path):
    mirror(source.settings, "public.t")
    change(source, row(2, "b", "y"))
    run_killed(source, tmp_path, point, "mirror")
    vacuum(source.layout.silver(TABLE), hours=0, dry_run=False)
    assert (1, "a", "x") in rows(source)
    mirror(source.settings, "public.t")
    assert len(rows(source)) == 2
    assert len(read_claim(source.layout.silver(TABLE)).versions) == 1


def test_several_at_once_show_the_newest(source):
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(mirror, source.settings, "public.t") for _ in range(3)]
        for n in range(2, 6):
            change(source, row(n, "b", "y"))
            running.append(pool.submit(mirror, source.settings, "public.t"))
        for run in running:
            run.result()
    mirror(source.settings, "public.t")
    assert [r[0] for r in rows(source)] == [1, 2, 3, 4, 5]
    assert agree(compare(source.settings, "public.t"))


def test_migrated_table_is_icebergs(source):
    with pytest.raises(ConfigurationError, match=r"public\.t is captured") as raised:
        migrate(source.settings, "public.t")
    assert "iceberg mirror" in raised.value.hint
    ended = source.contract.model_copy(update={"captured": False})
    record_contracts(source.layout, [ended], 5)
    change(source, row(2, "b", "y"))
    report = migrate(source.settings, "public.t")
    assert report.owner == "Iceberg"
    before, uri = rows(source), source.layout.silver(TABLE)
    DeltaTable(uri).delete()
    assert vacuum(uri, hours=0, dry_run=False) is None
    assert maintain_table(source.settings, "public.t", dry_run=False).steps == ()
    assert rows(source) == before
    with pytest.raises(ConfigurationError, match=r"was migrated to silver_iceberg\.t: Iceberg is its own writer"):
        mirror(source.settings, "public.t")


@pytest.mark.parametrize("point", ["iceberg-claimed", "iceberg-committed"])
def test_migration_that_was_killed_is_run_again(source, point, tmp_path):
    record_contracts(source.layout, [source.contract.model_copy(update={"captured": False})], 5)
    run_killed(source, tmp_path, point, "migrate")
    uri = source.layout.silver(TABLE)
    DeltaTable(uri).optimize.z_order(["id"])
    vacuum(uri, hours=0, dry_run=False)
    assert migrate(source.settings, "public.t").owner == "Iceberg"
    assert rows(source) == [(1, "a", "x")]
    assert read_claim(uri).migrated


def test_table_of_another_lake_is_left_alone(source, tmp_path):
    mirror(source.settings, "public.t")
    other = Source(f"{tmp_path}/other", source.contract)
    other.lsn = 0
    change(other, row(9, "z", "z"))
    with pytest.raises(ConfigurationError, match=r"silver_iceberg\.t in the catalogue is not the mirror of"):
        mirror(other.settings, "public.t")
    assert rows(source) == [(1, "a", "x")]


def test_snapshots_go_before_their_files_do(source):
    hours = source.settings.maintenance.model_copy(update={"vacuum_hours": 0})
    source.settings = source.settings.model_copy(update={"maintenance": hours})
    for n in range(2, 5):
        change(source, row(n, "b", "y"))
        mirror(source.settings, "public.t")
    assert len(open_catalog(source.settings).load_table(NAME).snapshots()) == 1
    assert len(rows(source)) == 4


def test_names_and_addresses_are_checked(source):
    assert iceberg_tables(source.settings, ["public.*"]) == ["public.t"]
    with pytest.raises(ConfigurationError, match="no table of the lake is meant by nothing"):
        iceberg_tables(source.settings, ["nothing"])
    rest = source.settings.model_copy(update={"iceberg": IcebergSettings(catalog="rest")})
    with pytest.raises(ConfigurationError, match="needs an address"):
        mirror(rest, "public.t")


def test_commands_print_counts_and_checksums(source, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_CDC__SOURCE", "s")
    monkeypatch.setenv("LAKEHOUSE_LAKE__ROOT", source.settings.lake.root)
    mirrored = CliRunner().invoke(app, ["iceberg", "mirror", "public.*", "--json"])
    assert mirrored.exit_code == 0, mirrored.output
    [report] = json.loads(mirrored.stdout)
    assert [reader["rows"] for reader in report["readers"]] == [1, 1, 1]
    assert len({reader["checksum"] for reader in report["readers"]}) == 1
    compared = CliRunner().invoke(app, ["iceberg", "compare", "public.t"])
    assert compared.exit_code == 0
    assert "pyiceberg" in compared.stdout
    dry = CliRunner().invoke(app, ["iceberg", "migrate", "public.t"])
    assert "Nothing was changed" in dry.output
