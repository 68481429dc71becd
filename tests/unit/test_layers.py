"""Packages keep to their layer, and show one face."""

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("connectors", "tasks", "flows", "deployments")


def packages() -> Iterator[str]:
    for layer in LAYERS:
        yield layer
        for module in pkgutil.walk_packages([str(ROOT / layer)], f"{layer}."):
            if module.ispkg:
                yield module.name


@pytest.mark.parametrize("package", list(packages()))
def test_face_is_importable(package: str) -> None:
    face = importlib.import_module(package)
    names = getattr(face, "__all__", [])
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(face, name)] == []


def test_connectors_work_without_prefect() -> None:
    code = (
        "import importlib, pkgutil, sys, connectors\n"
        "for m in pkgutil.walk_packages(connectors.__path__, 'connectors.'): importlib.import_module(m.name)\n"
        "sys.exit('prefect' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("folder", ["dbt", "docker"])
def test_folder_does_not_shadow_a_package(folder: str) -> None:
    # As a package it would hide the library of the same name from everything run in the checkout.
    assert not (ROOT / folder / "__init__.py").exists()
