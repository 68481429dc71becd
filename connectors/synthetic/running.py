"""Traffic in the background, which can be started, stopped and looked at."""

import threading
from collections.abc import Mapping

from pydantic import BaseModel, Field

from connectors.errors import LakehouseError
from connectors.postgres.connection import connect
from connectors.settings import PostgresSettings
from connectors.synthetic.traffic import TrafficCounts, apply_traffic

_AT_A_TIME = 20  # transactions, after which the rate and the counts are looked at


class TrafficStatus(BaseModel):
    """How traffic is."""

    running: bool
    rate: float | None = Field(description="Transactions per second, while it goes on.", examples=[20])
    transactions: int = Field(description="Since the server was started.", examples=[1200])
    rows: Mapping[str, int] = Field(description="Rows that were inserted, updated and deleted.")
    error: str | None = Field(None, description="Why it ended, if it was not stopped.")


class RunningTraffic:
    """At most one traffic at a time.

    Args:
        postgres: The shop's database.
    """

    def __init__(self, postgres: PostgresSettings) -> None:
        self._postgres = postgres
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._rate = 0.0
        self._counts = TrafficCounts(0, {}, {}, {}, {})
        self._error: str | None = None

    def start(self, *, rate: float, seed: int) -> TrafficStatus:
        """Starts traffic; of traffic that goes on, changes the rate.

        Raises:
            ConfigurationError: The shop is empty.
            ServiceUnavailable: The database does not answer.
        """
        with self._lock:
            self._rate = rate
            if self._thread is None or not self._thread.is_alive():
                with connect(self._postgres) as connection:
                    apply_traffic(connection, seed=seed, transactions=0)  # whether it can begin
                self._stop, self._error = threading.Event(), None
                self._thread = threading.Thread(target=self._run, args=(seed,), name="traffic", daemon=True)
                self._thread.start()
        return self.status()

    def stop(self) -> TrafficStatus:
        """Stops traffic after the transaction that is open."""
        with self._lock:
            self._stop.set()
            if self._thread is not None:
                self._thread.join()
        return self.status()

    def status(self) -> TrafficStatus:
        """How it is."""
        counts = self._counts
        running = self._thread is not None and self._thread.is_alive() and not self._stop.is_set()
        rows = {name: sum(getattr(counts, name).values()) for name in ("inserts", "updates", "deletes")}
        return TrafficStatus(
            running=running,
            rate=self._rate if running else None,
            transactions=counts.transactions,
            rows=rows,
            error=self._error,
        )

    def _run(self, seed: int) -> None:
        try:
            with connect(self._postgres) as connection:
                while not self._stop.is_set():
                    self._counts += apply_traffic(
                        connection, seed=seed, transactions=_AT_A_TIME, rate=self._rate, stop=self._stop
                    )
        except LakehouseError as error:
            self._error = str(error)
