import psutil
import psycopg
import pytest

from connectors.debezium.checks import version_findings
from connectors.debezium.connect import ConnectClient


def connections_of(process):
    """Its connections; none if it has ended meanwhile, as PostgreSQL's processes do all the time."""
    try:
        return process.net_connections()
    except (psutil.NoSuchProcess, FileNotFoundError):
        return []


def test_services_listen_on_loopback_only(stack_services):
    for service in [stack_services.postgres, stack_services.kafka, stack_services.connect]:
        addresses = {
            connection.laddr.ip.removeprefix("::ffff:")
            for process in service.processes()
            for connection in connections_of(process)
            if connection.status == psutil.CONN_LISTEN
        }
        assert addresses == {"127.0.0.1"}, service.name


def test_debezium_has_no_known_loss(stack_services):
    with ConnectClient(stack_services.connect.address) as client:
        assert version_findings(client.debezium()) == []


def test_postgres_refuses_without_password(stack_services):
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(host="127.0.0.1", port=stack_services.postgres.port, user="postgres", dbname="postgres")


def test_postgres_streams_logically(settings):
    postgres = settings.postgres
    with psycopg.connect(
        host=postgres.host,
        port=postgres.port,
        user=postgres.user,
        password=postgres.password.get_secret_value(),
        dbname=postgres.database,
    ) as connection:
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)
