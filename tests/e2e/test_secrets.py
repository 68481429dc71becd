"""What Prefect keeps of runs holds no secret: parameters, logs, results, artifacts, events."""

from prefect.deployments import run_deployment

from connectors.settings import load_settings


def files_with(text):
    """Files below the homes of Prefect's server, of the worker and of the runs, in which a text occurs."""
    kept = [
        path
        for folder in ("prefect", "worker", "tmp")
        for path in (load_settings().home / folder).rglob("*")
        if path.is_file()
    ]
    return {path.name for path in kept if text.encode() in path.read_bytes()}


def test_password_is_in_nothing_that_prefect_keeps(settings, shop):
    refused = {"env": {"LAKEHOUSE_POSTGRES__DATABASE": "nowhere"}}
    good = run_deployment("drain-cdc/drain-local", timeout=180, poll_interval=1, as_subflow=False)
    bad = run_deployment("resync-tables/resync-local", parameters={"tables": ["public.orders"]}, job_variables=refused)
    assert (good.state.is_completed(), bad.state.is_failed()) == (True, True), (good.state, bad.state)
    # The same search finds what is no secret, in the database and in the log.
    assert any(name.startswith("prefect.db") for name in files_with(settings.postgres.host))
    assert "worker.log" in files_with("resync-tables")
    assert files_with(settings.postgres.password.get_secret_value()) == set()
