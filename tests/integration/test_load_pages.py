"""What the pages on loads show works as they say: the declaration and commands, and a source of one's own."""

import gzip
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from connectors.aws import aws_client
from connectors.loads import dynamodb, s3_objects, sql_tables
from connectors.loads.declaration import TableSpec
from connectors.loads.load import load_table
from connectors.loads.registry import SOURCES
from deployments.cli import app
from tests.aws import moto_server
from tests.loads import load_settings, quarantined, rows

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return [code for found, code in FENCE.findall((DOCS / page).read_text()) if found == language]


def test_load_a_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [declaration] = blocks("loads.md", "yaml")
    Path("loads.yaml").write_text(declaration)
    with moto_server() as aws:
        client = aws_client(aws, "s3")
        client.create_bucket(Bucket="my-files")
        click = {"occurred_at": "2026-03-01T10:00:00Z", "amount": 1.5, "email": "a@example.org", "ip": "10.0.0.1"}
        body = gzip.compress(json.dumps(click).encode())
        client.put_object(Bucket="my-files", Key="clicks/2026/03/01/a.jsonl.gz", Body=body)
        client.put_object(Bucket="my-files", Key="prices/x/a.csv", Body=b"sku;cost;Valid From\nA;1.2345;2026-03-01\n")
        for name, value in {"ENDPOINT_URL": aws.endpoint_url, "REGION": aws.region}.items():
            monkeypatch.setenv(f"LAKEHOUSE_AWS__{name}", value)
        monkeypatch.setenv("LAKEHOUSE_AWS__ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("LAKEHOUSE_AWS__SECRET_ACCESS_KEY", "testing")
        [block] = blocks("loads.md", "sh")
        run = 0
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[0] == "export":
                for name, value in (word.split("=", 1) for word in words[1:]):
                    monkeypatch.setenv(name, value)
            else:
                done = CliRunner().invoke(app, words[1:])
                assert done.exit_code == 0, (line, done.output)
                run += 1
        assert run == 4
        query = (
            "select occurred_at::varchar, amount::varchar, len(email), cost::varchar from web.clicks, web.price_lists"
        )
        shown = CliRunner().invoke(app, ["query", "--json", query])
        assert "2026-03-01 10:00:00+00" in shown.output
        assert "1.2345" in shown.output
        done = CliRunner().invoke(app, ["backfill", "web.clicks", "--since", "2026-03-01", "--until", "2026-03-02"])
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "spec", [TableSpec, s3_objects.ObjectsTable, dynamodb.DynamoTable, sql_tables.SqlTable], ids=lambda s: s.__name__
)
def test_every_option_is_on_the_page(spec):
    page = (DOCS / "loads.md").read_text()
    assert [name for name in spec.model_fields if f"`{name}`" not in page] == []


def test_write_a_source(tmp_path, monkeypatch):
    [code] = blocks("sources.md", "python")
    [declaration] = blocks("sources.md", "yaml")
    names = {"__name__": "folders_of_the_page"}
    exec(compile(code, "sources.md", "exec"), names)
    monkeypatch.setitem(SOURCES, "folders", names["Folders"])
    notes = tmp_path / "notes"
    notes.mkdir()
    sources = yaml.safe_load(declaration)["sources"]
    sources["notes"]["tables"]["lines"]["folder"] = str(notes)
    settings = load_settings(tmp_path, sources)
    (notes / "a.txt").write_text("height=3\nnothing\nwidth=wide\n")
    report = load_table(settings, "notes", "lines")
    assert (report.rows, report.rejected) == (1, 2)
    (notes / "b.txt").write_text("depth=4\n")
    assert load_table(settings, "notes", "lines").rows == 1
    assert load_table(settings, "notes", "lines").commits == 0
    assert rows(settings, "select field, value from notes.lines order by value") == [("height", 3), ("depth", 4)]
    assert quarantined(settings, "decode(key), stream_offset, reason") == [
        ("a.txt", 2, "there is no ="),
        ("a.txt", 3, "column value is no bigint: wide"),
    ]
