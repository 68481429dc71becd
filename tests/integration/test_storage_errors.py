"""Storage that fails is told as this library's errors; a commit whose answer is lost is made once."""

import uuid
from collections import Counter

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from connectors.cdc.drain import changes_since, drained_batch
from connectors.cdc.merge import merge_table, pending_tables
from connectors.errors import CommitConflict, ConfigurationError, ServiceUnavailable
from connectors.lake.bronze import BronzeLog
from connectors.lake.contract_log import latest_contracts, record_contracts
from connectors.lake.epoch_log import ensure_epoch
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.lake.storage import read_rows, storage_errors
from connectors.lake.views import pin_silver
from connectors.settings import LakeSettings
from tests.crash.proxy import s3_proxy
from tests.crash.s3_lake import BATCH, SERVER, TABLE, TOPICS, S3Lake, messages
from tests.events import PARTITION, raw_batch
from tests.lake import as_recorded
from tests.s3 import local_s3


def begin_epoch(layout, *, slot_exists):
    return ensure_epoch(layout, slot="s", slot_exists=slot_exists, identity=SERVER, tables=[TABLE.table])


ENTRANCES = {
    "register": lambda s: record_contracts(LakeLayout(s.lake.root, "s"), [TABLE], 0),
    "begin a slot epoch": lambda s: begin_epoch(LakeLayout(s.lake.root, "s"), slot_exists=True),
    "look for contracts": lambda s: latest_contracts(LakeLayout(s.lake.root, "s")),
    "look for pending tables": pending_tables,
    "look for batches": drained_batch,
    "count changes": lambda s: changes_since(s, 0),
    "merge": lambda s: merge_table(s, TABLE.table, checked=as_recorded(s)),
    "pin": lambda s: pin_silver(s.lake.root, "s"),
    "query": lambda s: query_lake(s, "FROM silver.t").__enter__(),
}


COMMITS = Counter(contracts=2, epochs=2, changes=4, rejected=3, t=3)
"""How many commits a drain of all messages makes, of each table."""


class _FirstTries:
    """Chooses, of every commit, the request that is sent first."""

    def __init__(self):
        self._seen = set()

    def __call__(self, method, path):
        is_first = method == "PUT" and "/_delta_log/" in path and path not in self._seen
        self._seen.add(path)
        return is_first


def _tables(commits):
    return Counter(path.split("/")[-3] for _, path in commits)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with local_s3(), s3_proxy() as proxy, pytest.MonkeyPatch.context() as environment:
        environment.setenv("LAKEHOUSE_HOME", str(tmp_path_factory.mktemp("home")))
        environment.setenv("AWS_MAX_ATTEMPTS", "1")
        yield proxy


@pytest.fixture(autouse=True)
def healed(proxy):
    proxy.heal()


@pytest.fixture
def lake(proxy):
    return S3Lake(uuid.uuid4().hex)


@pytest.fixture(scope="module")
def behind(proxy):
    """A lake with messages in bronze that silver has not merged."""
    lake = S3Lake("behind")
    lake.drain(until=BATCH)
    lake.receive()
    return lake


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_storage_that_does_not_answer_is_worth_another_try(proxy, behind, entrance):
    proxy.fail("503", for_good=True)
    with pytest.raises(ServiceUnavailable, match=r"the storage failed: .*\nhint: try again"):
        ENTRANCES[entrance](behind.settings)


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_storage_that_refuses_is_not_asked_again(proxy, behind, entrance):
    proxy.fail("403", for_good=True)
    with pytest.raises(ConfigurationError, match=r"the storage refuses: .*\nhint: check that the bucket"):
        ENTRANCES[entrance](behind.settings)
    assert len(proxy.failed) == 1


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_bucket_that_is_not_there_is_named(behind, entrance):
    gone = behind.settings.model_copy(update={"lake": LakeSettings(root="s3://no-such-bucket/lake")})
    with pytest.raises(ConfigurationError, match=r"s3://no-such-bucket/lake.* the storage refuses: "):
        ENTRANCES[entrance](gone)


@pytest.mark.parametrize(("fault", "error"), [("403", ConfigurationError), ("torn", ServiceUnavailable)])
@pytest.mark.parametrize("entrance", ["count changes", "merge", "query"])
def test_data_files_that_can_not_be_read_are_told(proxy, behind, entrance, fault, error):
    """What opens a table succeeds; what reads its files does not."""
    tables = ("/changes/", "/silver/")
    proxy.fail(fault, for_good=True, only=lambda _, path: path.endswith(".parquet") and any(t in path for t in tables))
    with pytest.raises(error, match="the storage"):
        ENTRANCES[entrance](behind.settings)


def test_commit_whose_answer_is_lost_is_made_once(proxy, lake):
    """Of every table, be it the first or a later one: the run fails, and the next one finds it made."""
    proxy.fail("reset-after", for_good=True, only=_FirstTries())
    failures = 0
    while True:
        try:
            lake.drain()
            break
        except ServiceUnavailable:
            failures += 1
    assert 0 < failures <= len(proxy.failed)
    assert _tables(proxy.failed) == COMMITS
    proxy.heal()
    assert lake.audit() == {}


def test_commit_that_is_sent_again_is_made_once(proxy, lake, monkeypatch):
    """S3 makes it and says that it failed; the client sends it again, and loses against itself."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    proxy.fail("500-after", for_good=True, only=_FirstTries())
    lake.drain()
    assert _tables(proxy.failed) == COMMITS
    proxy.heal()
    assert lake.audit() == {}


def test_life_is_begun_once_although_the_answer_is_lost(proxy, lake, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    proxy.fail("500-after", for_good=True, only=_FirstTries())
    slot_epoch = begin_epoch(lake.layout, slot_exists=False)
    assert slot_epoch.epoch == 1


def test_same_log_goes_on_after_an_append_that_failed(proxy, lake):
    """A log that is kept open, as in a notebook: whatever became of its commit, the next one does not repeat it."""
    batch = raw_batch(messages("")[:BATCH])
    bronze = BronzeLog(lake.layout)
    proxy.fail("reset-after", only=lambda method, path: method == "PUT" and path.endswith("1.json"))
    with pytest.raises(ServiceUnavailable, match="the storage failed"):
        bronze.append(batch, tables=TOPICS)
    with pytest.raises(CommitConflict, match="committed first"):
        bronze.append(batch, tables=TOPICS)
    bronze.reload()
    assert bronze.positions([PARTITION]) == {PARTITION: BATCH}


def test_folder_that_can_not_be_made_is_told(tmp_path):
    (tmp_path / "lake").write_text("not a folder")
    with pytest.raises(ConfigurationError, match="the storage refuses"):
        record_contracts(LakeLayout(str(tmp_path / "lake"), "s"), [TABLE], 0)


@pytest.mark.parametrize("error", [DeltaError("Invalid table version: 0"), OSError("went away")])
def test_listing_that_lacks_a_file_is_worth_another_try(error):
    with pytest.raises(ServiceUnavailable), storage_errors("somewhere"):
        raise error


def test_data_file_that_is_gone_is_worth_another_try(tmp_path):
    table = DeltaTable.create(str(tmp_path / "t"), pa.schema([pa.field("a", pa.int64())]))
    write_deltalake(table, pa.table({"a": [1]}), mode="append")
    next((tmp_path / "t").glob("*.parquet")).unlink()
    with pytest.raises(ServiceUnavailable, match="t/: the storage failed"):
        read_rows(table)
