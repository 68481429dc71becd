"""A message that could not be read, from the real Debezium into silver after all, by the command."""

import secrets

import pytest
from typer.testing import CliRunner

from connectors.cdc.drain import drain_source
from connectors.cdc.merge import merge_table
from connectors.cdc.registration import register_source
from connectors.lake.contract_log import latest_contracts, record_contracts
from connectors.lake.layout import LakeLayout
from connectors.lake.reader import query_lake
from connectors.postgres.connection import connect
from connectors.postgres.identifiers import TableName
from connectors.postgres.replication import emit_marker
from connectors.quality.reconcile import reconcile_source
from deployments.cli import app
from tests.lake import as_recorded

ITEM = TableName("public", "item")


def lakehouse(*arguments):
    return CliRunner().invoke(app, ["quarantine", *arguments])


@pytest.mark.usefixtures("environment")
def test_message_that_can_be_read_by_now_is_replayed_in_its_place(settings):
    layout = LakeLayout.of(settings)
    with connect(settings.postgres) as source:
        source.execute("CREATE TABLE item (id int PRIMARY KEY, name text, big text)")
        source.execute("ALTER TABLE item ALTER big SET STORAGE EXTERNAL")
        register_source(settings)
        contract = latest_contracts(layout)[ITEM]
        id_, name, big = contract.columns
        wrong = contract.model_copy(update={"columns": (id_, name.model_copy(update={"type_name": "_int4"}), big)})
        record_contracts(layout, [wrong], 1)
        source.execute("INSERT INTO item VALUES (1, 'before', %s)", [secrets.token_hex(4000)])
        source.execute("UPDATE item SET name = '[null]', big = %s", [secrets.token_hex(4000)])
        source.execute("UPDATE item SET name = 'leaves the large value out'")
        source.execute("INSERT INTO item VALUES (2, '[null]', 'x'), (3, 'goes on', 'y')")
        drain_source(settings, through_lsn=emit_marker(source))
        merge_table(settings, ITEM, checked=as_recorded(settings))
    with query_lake(settings, "SELECT id, name FROM silver.item ORDER BY id") as rows:
        assert rows.fetchall() == [(1, "leaves the large value out"), (3, "goes on")]
    assert "public.item" in lakehouse("list").stdout
    assert "can not be read: [null]" in lakehouse("show", "public.item", "--limit", "1").stdout

    record_contracts(layout, [contract], 2)
    replayed = lakehouse("replay", "public.*")
    assert replayed.exit_code == 0, replayed.output
    assert {str(c.table): c.keys for c in reconcile_source(settings) if c.mismatches} == {}
    assert lakehouse("list").stdout == ""
