"""What the page on other engines says to run, runs, where the engine can run here."""

import re
from pathlib import Path

import pytest

from connectors.cdc.iceberg import mirror
from connectors.settings import Settings
from tests.shop_lake import write_shop_lake

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A shop's lake in `lake`, mirrored in Iceberg."""
    folder = tmp_path_factory.mktemp("reading")
    write_shop_lake(str(folder / "lake"), orders=30)
    settings = Settings(home=folder / ".lakehouse", lake={"root": str(folder / "lake")})
    mirror(settings, "public.orders")
    return folder


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_lines_of_the_page_run(lake, block, monkeypatch, capsys):
    monkeypatch.chdir(lake)
    monkeypatch.setenv("LAKEHOUSE_HOME", str(lake / ".lakehouse"))
    monkeypatch.setenv("LAKEHOUSE_LAKE__ROOT", str(lake / "lake"))
    exec(compile(block, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.strip()
