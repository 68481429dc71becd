"""The compose file is one that compose takes, and opens nothing to the outside."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from connectors.settings import Settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker" / "compose.yaml"


@pytest.fixture(scope="module")
def services():
    """The services as compose itself reads them, anchors and variables filled in."""
    compose = Path(sys.executable).with_name("docker-compose")
    arguments = ["-f", str(FILE), "--profile", "*", "config"]
    environment = os.environ | {"PROJECT": "/a project"}
    done = subprocess.run([compose, *arguments], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


def test_every_part_has_a_profile(services):
    profiles = {name: set(service["profiles"]) for name, service in services.items()}
    needed = {"postgres", "redpanda", "connect", "prefect-database", "prefect", "deploy", "worker"}
    assert {name for name, of in profiles.items() if "all" in of} == needed
    assert {"console", "localstack", "demo"} <= set(profiles)


def test_ports_are_published_on_loopback_only(services):
    published = [port["host_ip"] for service in services.values() for port in service.get("ports", [])]
    assert published
    assert set(published) == {"127.0.0.1"}


def test_images_are_pinned(services):
    for service in services.values():
        _, _, tag = service["image"].rpartition(":")
        assert any(character.isdigit() for character in tag) or service["image"] == "lakehouse-flows:local"


def test_each_service_waits_for_the_health_of_those_it_needs(services):
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            ends = needed == "deploy"
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy"), name
            assert ends or "healthcheck" in services[needed], needed


def test_flows_run_without_rights(services):
    for name in "prefect", "deploy", "worker", "demo":
        service = services[name]
        assert service["read_only"] is True
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
        assert service.get("privileged") is None
    assert [name for name, service in services.items() if service.get("user") == "0"] == ["worker"]


def test_settings_are_known(services):
    known = {
        f"LAKEHOUSE_{group}__{name}".upper()
        for group, field in Settings.model_fields.items()
        if group != "home"
        for name in field.annotation.model_fields
    }
    lines = (ROOT / "docker" / "settings.env").read_text().splitlines()
    used = {line.partition("=")[0] for line in lines if not line.startswith("#")}
    used |= {name for service in services.values() for name in service.get("environment", {}) if "__" in name}
    assert {name for name in used if name.startswith("LAKEHOUSE_")} <= known
