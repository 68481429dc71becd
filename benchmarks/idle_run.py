"""What a scheduled drain costs that finds nothing to do: `python benchmarks/idle_run.py`, while `lakehouse up` runs.

Each run is a process of its own, as a worker starts it.
"""

import os
import statistics
import subprocess
import sys
import time

from connectors.settings import load_settings

IMPORTS = ["import prefect; from prefect import flow", "import flows"]
DRAIN = "from flows import drain_cdc; drain_cdc()"


def measure(code: str, runs: int = 5) -> tuple[float, float, float]:
    """Medians of wall time and CPU time, and the highest peak of memory."""
    found = []
    for _ in range(runs):
        began = time.monotonic()
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, code
        found.append((time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))
    wall, cpu, memory = zip(*found, strict=True)
    return statistics.median(wall), statistics.median(cpu), max(memory)


if __name__ == "__main__":
    os.environ["PREFECT_API_URL"] = load_settings().prefect.api_url
    os.environ["PREFECT_FLOWS"] = '{"heartbeat_frequency": null}'
    print("| | wall s | CPU s | peak MB |\n|---|---|---|---|")
    for code in (*IMPORTS, DRAIN):
        wall, cpu, memory = measure(code)
        print(f"| `{code}` | {wall:.2f} | {cpu:.2f} | {memory:.0f} |")
