"""Packages keep to their layer, and show one face."""

import importlib
import inspect
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


def modules(package):
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


@pytest.mark.parametrize("package", list(packages()))
def test_package_shows_one_face(package: str) -> None:
    # Its names; or, where importing them all would take long, its modules, and then all of them.
    face = importlib.import_module(package)
    assert face.__all__ == sorted(set(face.__all__), key=lambda name: (name.lower() == name, name))
    exported = [name for name in face.__all__ if name in vars(face) and not inspect.ismodule(vars(face)[name])]
    assert exported == face.__all__ != [] or (exported == [] and face.__all__ == modules(face) != [])


def test_all_packages_are_looked_at() -> None:
    assert {file.parent for layer in LAYERS for file in (ROOT / layer).rglob("__init__.py")} == {
        ROOT / package.replace(".", "/") for package in packages()
    }


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


def test_commands_start_without_what_few_of_them_need() -> None:
    few = ["boto3", "dlt", "prefect", "pyiceberg", "sqlalchemy"]
    code = f"import sys, deployments.cli; print([name for name in {few} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
