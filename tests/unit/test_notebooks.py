"""Notebooks are committed as they are written: without what a run left in them."""

import subprocess
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
LISTED = subprocess.run(["git", "ls-files", "-z", "*.ipynb"], cwd=ROOT, check=True, capture_output=True, text=True)
NOTEBOOKS = LISTED.stdout.split("\0")[:-1]


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_notebook_is_committed_without_outputs(path: str) -> None:
    committed = (ROOT / path).read_text()
    notebook = nbformat.reads(committed, as_version=4)
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.language_info = {"name": "python"}
    assert committed == nbformat.writes(notebook) + "\n"


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_every_cell_of_code_is_introduced(path: str) -> None:
    cells = nbformat.read(ROOT / path, as_version=4).cells
    abrupt = [cell.source for cell, next_one in pairwise(cells) if cell.cell_type == next_one.cell_type == "code"]
    assert abrupt == []


def test_there_is_a_notebook() -> None:
    assert "examples/explore.ipynb" in NOTEBOOKS
