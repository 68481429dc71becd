"""The numbers of a table's commits are those that delta-rs reads, from few files of the log."""

import random

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from connectors.errors import ServiceUnavailable
from connectors.lake import storage
from connectors.lake.numbers import Numbers, reached
from connectors.lake.storage import open_table, storage_options
from tests.s3 import local_s3

ROWS = pa.table({"a": [1]})
NAMES = [f"n{n}" for n in range(6)]


def commit(uri, **found):
    carried = [Transaction(name, number) for name, number in found.items()]
    write_deltalake(uri, ROWS, mode="append", commit_properties=CommitProperties(app_transactions=carried))


@pytest.fixture
def read(monkeypatch):
    """The files of the log that are read, and those that there might have been."""
    files, plain = [], storage._read_local

    def noted(path):
        files.append(path.name)
        return plain(path)

    monkeypatch.setattr(storage, "_read_local", noted)
    return files


@pytest.mark.parametrize("seed", range(20))
def test_they_are_those_that_delta_reads_whatever_the_log_is_like(tmp_path, seed):
    rng, uri = random.Random(seed), str(tmp_path / "a table")
    for step in range(30):
        commit(uri, **{name: step * 10 + n for n, name in enumerate(NAMES) if rng.random() < 0.2})
        table = DeltaTable(uri)
        if rng.random() < 0.1:
            table.create_checkpoint()
        if rng.random() < 0.1:
            table.optimize.compact()
            table = DeltaTable(uri)
        if rng.random() < 0.2:
            table.create_checkpoint()
            table.cleanup_metadata()
        ours = Numbers(table)
        for name in rng.sample(NAMES, 3):
            assert ours.get(name) == reached(table, name) == table.transaction_version(name)


def test_newest_commit_is_enough_where_it_has_them(tmp_path, read):
    uri = str(tmp_path / "table")
    for n in range(20):
        commit(uri, one=n, two=n)
    found = Numbers(DeltaTable(uri))
    assert (found.get("one"), found.get("two")) == (19, 19)
    assert read == [f"{19:020}.json", "_last_checkpoint"]


def test_every_file_is_read_once_whatever_is_asked_for(tmp_path, read):
    uri = str(tmp_path / "table")
    for n in range(20):
        commit(uri, **{f"n{n}": n})
        if n == 9:
            DeltaTable(uri).create_checkpoint()
    found = Numbers(DeltaTable(uri))
    assert [found.get(f"n{n}") for n in range(21)] == [*range(20), None]
    commits = {f"{n:020}.json" for n in range(10, 20)}
    assert sorted(read) == sorted([*commits, "_last_checkpoint", f"{9:020}.checkpoint.parquet"])


def test_older_version_is_read_as_it_was(tmp_path):
    uri = str(tmp_path / "table")
    for n in range(5):
        commit(uri, one=n)
    commit(uri, two=5)
    DeltaTable(uri).create_checkpoint()
    old = DeltaTable(uri, version=3)
    assert (reached(old, "one"), reached(old, "two")) == (3, None)


def test_failure_in_between_is_never_taken_for_no_number(tmp_path, monkeypatch):
    uri = str(tmp_path / "table")
    commit(uri, one=1)
    commit(uri, two=2)
    found, plain = Numbers(DeltaTable(uri)), storage._read_local

    def failing(path):
        if path.name == f"{0:020}.json":
            raise OSError("the storage is away")
        return plain(path)

    monkeypatch.setattr(storage, "_read_local", failing)
    with pytest.raises(ServiceUnavailable, match="the storage is away"):
        found.get("one")
    assert found.get("one") == 1


def test_object_storage_is_read_as_a_folder_is():
    with local_s3() as bucket:
        uri = f"{bucket}/it's my lake/table"
        for n in range(4):
            carried = CommitProperties(app_transactions=[Transaction(f"n{n}", n)])
            write_deltalake(uri, ROWS, mode="append", commit_properties=carried, storage_options=storage_options(uri))
        table = open_table(uri)
        table.create_checkpoint()
        found = Numbers(table)
        assert [found.get(f"n{n}") for n in range(5)] == [0, 1, 2, 3, None]
