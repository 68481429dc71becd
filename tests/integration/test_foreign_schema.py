"""A schema that nobody made for the lake: captured whole, whatever its things are called, while others write to it."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from connectors.cdc.rebuild import rebuild_checked
from connectors.cdc.registration import register_source
from connectors.lake.contract_log import latest_contracts
from connectors.lake.layout import LakeLayout, log_name
from connectors.lake.storage import open_table
from connectors.postgres.connection import connect
from connectors.postgres.replication import has_rows
from connectors.quality.reconcile import reconcile_source
from tests.lake import drain, received
from tests.schemas.traffic import create_schema, write
from tests.services import fresh_database, fresh_settings

ROUNDS, WRITERS = 2, 3
TRANSACTIONS = 60
"""Of each writer in each round."""

RESERVED = {"select", "table", "order", "user", "primary", "from", "end"}
NAMES = {
    "mixed case": lambda name: name.lower() != name,
    "spaces": lambda name: " " in name,
    "double quotes": lambda name: '"' in name,
    "dots": lambda name: "." in name,
    "reserved words": lambda name: name in RESERVED,
    "63 bytes": lambda name: len(name.encode()) == 63,
    "Unicode": lambda name: not name.isascii(),
}
THINGS = {
    "schema": lambda contract: [contract.schema_name],
    "table": lambda contract: [contract.table_name],
    "column": lambda contract: [c.name for c in contract.columns if c.name not in contract.key],
    "key": lambda contract: contract.key,
}


@pytest.fixture(scope="module")
def railway(stack_services, tmp_path_factory):
    """The railway after a snapshot, and after several wrote to it while it was drained, over and over."""
    root = tmp_path_factory.mktemp("railway") / "lake"
    with fresh_database(stack_services) as database, fresh_settings(stack_services, database, root) as fresh:
        # Small micro-batches and slices, so that cuts fall between the changes of a transaction.
        cdc = fresh.cdc.model_copy(update={"batch_messages": 200, "slice_rows": 500})
        settings = fresh.model_copy(update={"cdc": cdc})
        with connect(database) as source, ThreadPoolExecutor(WRITERS) as pool:
            create_schema(source, "railway")
            register_source(settings)
            outcomes = Counter()
            for n in range(ROUNDS):
                seeds = range(n * WRITERS, (n + 1) * WRITERS)
                writers = [pool.submit(write, source, "railway", transactions=TRANSACTIONS, seed=s) for s in seeds]
                drain(settings, source)
                outcomes += sum((writer.result() for writer in writers), Counter())
            drain(settings, source)
            contracts = latest_contracts(LakeLayout.of(settings))
            # Chance may have left a kind of change out, or have emptied a table.
            for seed in range(100, 110):
                if not missing_kinds(settings, contracts) and all(has_rows(source, table) for table in contracts):
                    break
                outcomes += write(source, "railway", transactions=TRANSACTIONS, seed=seed)
                drain(settings, source)
            print(f"\n{len(contracts)} tables, {ROUNDS} drains beside {WRITERS} writers: {dict(outcomes)}")
            yield SimpleNamespace(settings=settings, source=source, contracts=contracts, outcomes=outcomes)


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("kind", NAMES)
def test_every_kind_of_name_is_captured_as(railway, kind, thing):
    names = {name for contract in railway.contracts.values() for name in THINGS[thing](contract)}
    assert [name for name in names if NAMES[kind](name)]


def test_tables_are_captured_and_nothing_else(railway):
    kinds = "SELECT relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname ~ 'open|scratch'"
    assert {kind for (kind,) in railway.source.execute(kinds)} >= {"v", "r"}
    assert len(railway.contracts) == 14
    assert not [table for table in railway.contracts if re.search(r"open|Names|scratch|2025|others", table.name)]


def test_silver_equals_the_source_after_concurrent_writes(railway):
    assert railway.outcomes["commit"] > railway.outcomes["rollback"] > 0
    quarantine = open_table(LakeLayout.of(railway.settings).quarantine)
    assert quarantine is None or quarantine.to_pyarrow_table()["reason"].to_pylist() == []
    found = reconcile_source(railway.settings)
    assert {str(c.table): c.keys for c in found if c.mismatches} == {}
    assert len(found) == len(railway.contracts)


def test_every_table_had_every_kind_of_change(railway):
    assert missing_kinds(railway.settings, railway.contracts) == {}


def missing_kinds(settings, contracts):
    """The kinds of change that a table did not have, by table."""
    missing = {}
    for table in contracts:
        events = received(settings, log_name(table))
        if kinds := set("rcud") - {event["op"] for event in events if event is not None}:
            missing[str(table)] = kinds
    return missing


def test_rebuild_equals_what_was_merged_bit_by_bit(railway):
    rebuilt = {str(table): rebuild_checked(railway.settings, table) for table in railway.contracts}
    assert {table: report.differing for table, report in rebuilt.items() if report.differing} == {}
    assert all(report.rows for report in rebuilt.values())
