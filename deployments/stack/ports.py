"""Free ports on loopback."""

import random
import socket
from collections.abc import Collection, Mapping, Sequence
from http.client import OK, HTTPConnection, HTTPException
from types import MappingProxyType
from typing import Any

from connectors.errors import ConfigurationError

HOST = "127.0.0.1"
# Above 32768 the operating system hands out ports to clients, and would sooner or later take ours.
FIRST, LAST = 20_000, 31_999

NONE: Mapping[str, Any] = MappingProxyType({})


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def answers(port: int, path: str) -> bool:
    """Whether a web server on the port answers a GET with 200. Asked many times: a client of the full kind is slow."""
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def pick_ports(
    names: Sequence[str], *, wanted: Mapping[str, int | None] = NONE, previous: Mapping[str, int] = NONE
) -> dict[str, int]:
    """Picks a port for each name.

    Args:
        names: What needs a port.
        wanted: The ports that settings ask for.
        previous: The ports of the last time, taken again when they are free.

    Raises:
        ConfigurationError: A wanted port is in use, or no port is free.
    """
    fixed = [port for port in wanted.values() if port is not None]
    ports: dict[str, int] = {}
    for name in names:
        asked = wanted.get(name)
        if asked is not None:
            if asked in ports.values() or not is_free(asked):
                raise ConfigurationError(
                    f"port {asked} of {name} is in use",
                    hint=f"Choose another one: LAKEHOUSE_STACK__{name.upper()}_PORT.",
                )
            ports[name] = asked
        else:
            ports[name] = _any_port(previous.get(name), taken={*fixed, *ports.values()})
    return ports


def _any_port(previous: int | None, *, taken: Collection[int]) -> int:
    candidates = random.sample(range(FIRST, LAST + 1), LAST + 1 - FIRST)
    for port in candidates if previous is None else [previous, *candidates]:
        if port not in taken and is_free(port):
            return port
    raise ConfigurationError(f"no port between {FIRST} and {LAST} is free", hint="Stop some services.")
