"""A small disk of one's own."""

import contextlib
import subprocess


@contextlib.contextmanager
def small_disk(folder, size):
    """A folder, which is made, as a disk of its own; yields whether it could be one (as root)."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    made = subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", str(folder)], check=True)
