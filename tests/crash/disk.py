"""A small file system of its own, for faults that fill it."""

import shutil
import subprocess
import sys
from contextlib import contextmanager


@contextmanager
def small_disk(folder):
    """Yields a folder with 64 MB of room, None where this user may not mount; what lies in it is kept elsewhere."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"NO DISK IS FILLED: this user may not mount one ({error})", file=sys.stderr, flush=True)
        yield None
        return
    try:
        yield folder
    finally:
        shutil.copytree(folder, folder.with_name(f"{folder.name}-unmounted"))
        subprocess.run(["umount", str(folder)], check=True)
