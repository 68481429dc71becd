"""A wrong declaration is refused with every line that is wrong, and how to mend it."""

import os
import subprocess
import sys

import pytest

from connectors.errors import ConfigurationError
from connectors.loads.declaration import declared_names
from connectors.loads.registry import SOURCES, read_sources
from connectors.postgres.identifiers import TableName
from connectors.settings import LoadSettings, Settings

GOOD = """
sources:
  web:
    type: s3_objects
    bucket: files
    tables:
      clicks: {path: "c/%Y/%m/%d/*", columns: {n: bigint}}
"""


def settings(folder, text):
    file = folder / "loads.yaml"
    file.write_text(text)
    return Settings(loads=LoadSettings(file=file))


def test_a_good_one_is_read(tmp_path):
    given = settings(tmp_path, GOOD)
    assert set(read_sources(given).source("web").tables) == {"clicks"}
    assert declared_names(given.loads.file) == [TableName("web", "clicks")]


def test_none_declares_nothing(tmp_path):
    given = Settings(loads=LoadSettings(file=tmp_path / "none.yaml"))
    assert read_sources(given).sources == {}
    with pytest.raises(ConfigurationError, match="declares no source 'web'"):
        read_sources(given).source("web")


@pytest.mark.parametrize(
    ("change", "line", "problem"),
    [
        (("bucket: files", "buckets: files"), 5, "there is no such option"),
        (("bucket: files", "bucket: f"), 5, "at least 3 characters"),
        (("type: s3_objects", "type: s4"), 3, "`type:` is to be one of dynamodb, s3_objects, sql_tables"),
        (("type: s3_objects", "type: [s3_objects]"), 3, "`type:` is to be one of dynamodb, s3_objects, sql_tables"),
        (("n: bigint", "n: int"), 7, "n: 'int' is not a column type; one of text, json, bigint"),
        (("%Y/%m/%d", "%Y/%m"), 7, "a day is %Y, %m and %d, each once"),
        (("  web:", "  Web-1:"), 3, "a source is named like `shop_s3`"),
        (("  web:", "  marts:"), 3, "'marts' has another meaning in the lake"),
        (("  web:", "  shop:"), 3, "'shop' has another meaning in the lake"),
        (("clicks:", "Clicks:"), 7, "a table is named like `price_lists`"),
        (("sources:", "source:"), 1, "it is to have `sources:`, and nothing else"),
        (("bucket: files", "bucket: [files"), 6, "expected"),
    ],
)
def test_line_and_problem_are_named(tmp_path, change, line, problem):
    given = settings(tmp_path, GOOD.replace(*change))
    with pytest.raises(ConfigurationError) as caught:
        read_sources(given)
    assert f"loads.yaml:{line}: " in str(caught.value)
    assert problem in str(caught.value)
    assert caught.value.hint is not None


def test_all_problems_are_named_at_once(tmp_path):
    given = settings(tmp_path, GOOD.replace("bucket: files", "buckets: files").replace("bigint", "int"))
    with pytest.raises(ConfigurationError) as caught:
        read_sources(given)
    assert caught.value.message.count("loads.yaml:") == 3  # the bucket is missing, too


def test_dlt_reports_its_use_to_nobody():
    """Whatever is imported first: the names of columns import dlt, too."""
    code = (
        "import connectors.loads.names, dlt\n"
        "from dlt.common.configuration.container import Container\n"
        "from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext\n"
        "print(Container()[PluggableRunContext].context.runtime_config.dlthub_telemetry)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNTIME__")}
    done = subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_the_shop_is_declared():
    assert {"shop_dynamodb", "shop_s3"} == set(read_sources(Settings()).sources)
    assert sorted(SOURCES) == ["dynamodb", "s3_objects", "sql_tables"]
