import pytest
from typer.testing import CliRunner

from connectors.errors import ConfigurationError
from connectors.settings import Settings, load_own_settings, load_settings
from deployments.cli import app
from deployments.stack.plan import all_services, check_settings, external_addresses, plan_services
from deployments.stack.state import write_json


@pytest.fixture(autouse=True)
def state_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def names(services):
    return [service.name for service in services]


def test_everything_is_started_by_default(tmp_path):
    services = plan_services(tmp_path, Settings(), ports={"kafka": 20001})
    assert names(services) == ["postgres", "kafka", "connect", "prefect", "worker"]
    assert services[2].bootstrap_servers == "127.0.0.1:20001"


def test_own_services_are_not_started(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__HOST", "db.example")
    monkeypatch.setenv("LAKEHOUSE_KAFKA__BOOTSTRAP_SERVERS", "kafka.example:9092")
    settings = load_own_settings()
    services = plan_services(tmp_path, settings, ports={})
    assert names(services) == ["connect", "prefect", "worker"]
    assert services[0].bootstrap_servers == "kafka.example:9092"
    assert external_addresses(settings) == {"postgres": "db.example:5432", "kafka": "kafka.example:9092"}
    every = ["postgres", "kafka", "connect", "aws", "prefect", "worker"]
    assert names(all_services(tmp_path, settings, ports={})) == every


def test_own_prefect_gets_only_a_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_PREFECT__API_URL", "http://prefect.example/api")
    services = plan_services(tmp_path, load_own_settings(), ports={})
    assert names(services) == ["postgres", "kafka", "connect", "worker"]
    assert services[-1].api_url == "http://prefect.example/api"


def test_addresses_of_the_stack_are_not_ones_own(state_folder):
    write_json(state_folder / "stack.json", {"postgres": {"host": "127.0.0.1", "port": 20001}})
    assert load_settings().postgres.port == 20001
    assert load_own_settings().postgres.host is None


def test_dotenv_counts_as_ones_own(tmp_path):
    (tmp_path / ".env").write_text("LAKEHOUSE_CONNECT__URL=http://connect.example\n")
    assert load_own_settings().connect.url == "http://connect.example"


def test_database_settings_without_host_are_refused(monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__USER", "me")
    with pytest.raises(ConfigurationError, match="POSTGRES__USER is set, but LAKEHOUSE_POSTGRES__HOST is not"):
        check_settings(load_own_settings())


def test_database_name_alone_is_fine(monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_POSTGRES__DATABASE", "books")
    check_settings(load_own_settings())


def test_command_tells_error_and_hint_without_traceback():
    result = CliRunner().invoke(app, ["logs", "nosuch"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "error: there is no service 'nosuch'\nhint: There are postgres, kafka, connect, aws, prefect, worker.\n"
    )


def test_status_of_nothing_is_stopped_as_json():
    result = CliRunner().invoke(app, ["status", "--json"])
    assert result.exit_code == 0
    assert result.stdout.count('"stopped"') == 6


def test_down_without_a_stack_is_fine():
    result = CliRunner().invoke(app, ["down"])
    assert (result.exit_code, result.stderr) == (0, "Nothing was running.\n")
