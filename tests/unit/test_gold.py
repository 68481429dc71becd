"""A build of gold is exclusive, starts from the last one and shows only when it is complete."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.errors import TransientError
from connectors.lake.gold import GoldBuild


@pytest.fixture
def published(tmp_path):
    return tmp_path / "state" / "gold.duckdb"


def test_the_first_build_starts_from_nothing(published):
    build = GoldBuild(published)
    build.begin()
    assert not build.file.exists()

    build.file.write_text("first")
    build.publish()
    assert published.read_text() == "first"


def test_a_build_starts_from_the_last_one_and_shows_when_published(published):
    build = GoldBuild(published)
    build.begin()
    build.file.write_text("first")
    build.publish()

    build.begin()
    assert build.file.read_text() == "first"
    build.file.write_text("second")
    assert published.read_text() == "first"
    build.publish()
    assert published.read_text() == "second"


def test_an_abandoned_build_leaves_no_trace(published):
    build = GoldBuild(published)
    build.begin()
    build.file.write_text("half")
    build.file.with_name("gold.next.duckdb.wal").write_text("half")
    build.abandon()

    assert [path.name for path in published.parent.iterdir()] == ["gold.lock"]


def test_what_a_killed_build_left_is_not_built_upon(published):
    published.parent.mkdir()
    published.with_suffix(".next.duckdb").write_text("half")
    published.with_suffix(".next.duckdb.wal").write_text("half")

    build = GoldBuild(published)
    build.begin()
    assert not build.file.exists()
    build.abandon()


def test_a_second_build_waits_and_starts_from_what_the_first_published(published):
    build, other = GoldBuild(published), GoldBuild(published)
    build.begin()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(other.begin)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.1)

        build.file.write_text("first")
        build.publish()
        waiting.result(timeout=30)
    assert other.file.read_text() == "first"
    other.abandon()


def test_a_second_build_that_has_waited_in_vain_is_refused(published):
    build, other = GoldBuild(published), GoldBuild(published, wait_seconds=0)
    build.begin()
    with pytest.raises(TransientError, match="another dbt run is building"):
        other.begin()

    build.abandon()
    other.begin()
    other.abandon()
