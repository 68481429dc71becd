"""One bounded drain with its merges, in a process of its own that a test may kill: `run_drain.py LSN`."""

import sys

from connectors.drain import drain_source, merge_table, pending_tables
from connectors.settings import load_settings


def main():
    settings = load_settings()
    drain_source(settings, through_lsn=int(sys.argv[1]))
    for table in pending_tables(settings):
        merge_table(settings, table)


if __name__ == "__main__":
    main()
