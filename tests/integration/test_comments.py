"""What people wrote about a table at the source is said of it in the lake."""

import json

import pyarrow as pa

from connectors.lake.layout import LakeLayout
from connectors.lake.storage import open_table
from connectors.postgres.identifiers import TableName
from tests.lake import drain, registered_source

TABLE = TableName("public", "Item's")
DDL = """
CREATE TABLE "Item's" (id int PRIMARY KEY, "the name" text);
COMMENT ON TABLE "Item's" IS 'Things we sell.';
COMMENT ON COLUMN "Item's"."the name" IS 'As on the label; never empty';
INSERT INTO "Item's" VALUES (1, 'a');
CREATE TABLE log (line text);
ALTER TABLE log REPLICA IDENTITY FULL;
INSERT INTO log VALUES ('begun');
"""


def said(settings, table):
    found = open_table(LakeLayout.of(settings).silver(table))
    schema = pa.schema(found.schema().to_arrow())
    comments = {f.name: f.metadata[b"comment"].decode() for f in schema if b"comment" in (f.metadata or {})}
    return found.metadata(), comments


def test_comments_arrive_and_change_and_go(settings):
    with registered_source(settings, DDL) as source:
        meta, comments = said(settings, TABLE)
        assert meta.description.splitlines()[0] == "Things we sell."
        assert "WHERE NOT _cdc_deleted" in meta.description
        assert json.loads(meta.configuration["lakehouse.key"]) == ["id"]
        assert meta.configuration["lakehouse.table"] == "public.Item's"
        assert comments == {"the name": "As on the label; never empty"}
        log, _ = said(settings, TableName("public", "log"))
        assert "sum(_cdc_weight)" in log.description

        source.execute("""COMMENT ON TABLE "Item's" IS NULL; COMMENT ON COLUMN "Item's".id IS 'number'""")
        source.execute("""COMMENT ON COLUMN "Item's"."the name" IS NULL""")
        source.execute("""INSERT INTO "Item's" VALUES (2, 'b')""")
        drain(settings, source)
        meta, comments = said(settings, TABLE)
        assert meta.description.startswith("One row per key.")
        assert {name: text for name, text in comments.items() if text} == {"id": "number"}
        version = open_table(LakeLayout.of(settings).silver(TABLE)).version()
        source.execute("""INSERT INTO "Item's" VALUES (3, 'c')""")
        drain(settings, source)
        assert open_table(LakeLayout.of(settings).silver(TABLE)).version() == version + 1
