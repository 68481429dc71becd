"""What holds for the repository as a whole."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
URL = re.compile(r"https?://([\w.-]+)")
KNOWN_HOSTS = {"127.0.0.1", "localhost", "www.apache.org", "www.w3.org"}


def tracked_texts() -> dict[str, str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = [path for path in listed.split("\0") if path and (ROOT / path).is_file()]
    return {path: (ROOT / path).read_text(errors="replace") for path in paths}


def package_name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


def test_lock_names_no_registry() -> None:
    assert [line for line in LOCK.splitlines() if "://" in line and not line.lstrip().startswith("#")] == []


def test_lock_holds_every_direct_dependency() -> None:
    extras, groups = PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
    groups = [PROJECT["project"]["dependencies"], *extras.values(), *groups.values()]
    direct = {package_name(entry) for group in groups for entry in group if isinstance(entry, str)}
    locked = set(re.findall(r"^([a-z0-9-]+)==", LOCK, re.MULTILINE))
    assert direct - locked == set()
    assert {package_name(entry) for entry in PROJECT["build-system"]["requires"]} <= locked


def test_image_is_locked_to_the_same_versions() -> None:
    image = re.findall(r"^[a-z0-9-]+==\S+", (ROOT / "docker/requirements.lock").read_text(), re.MULTILINE)
    assert image
    assert set(image) <= set(re.findall(r"^[a-z0-9-]+==\S+", LOCK, re.MULTILINE))


def test_lock_has_a_hash_for_every_package() -> None:
    entries = re.split(r"^(?=[a-z0-9-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_no_outside_host_is_named() -> None:
    named = {(path, host) for path, text in tracked_texts().items() for host in URL.findall(text)}
    # Names below .example are reserved for documentation; those without a dot are of docker/compose.yaml.
    outside = {(p, host) for p, host in named if "." in host and not host.endswith(".example")}
    assert {(p, host) for p, host in outside if host not in KNOWN_HOSTS} == set()


def test_no_path_of_one_machine_is_named() -> None:
    machine_path = re.compile(r"(?<![\w.}])/(?:home|root|Users)/\w+")
    assert [path for path, text in tracked_texts().items() if machine_path.search(text)] == []


def test_pre_commit_hooks_are_local() -> None:
    config = (ROOT / ".pre-commit-config.yaml").read_text()
    assert set(re.findall(r"repo: (\S+)", config)) == {"local"}
    assert set(re.findall(r"language: (\S+)", config)) == {"system"}


def test_every_make_target_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    explained = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert explained == set(phony[1].split())
