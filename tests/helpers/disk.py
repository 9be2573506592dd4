"""Disks that are full: a small one of one's own, and a limit to the size of files."""

import contextlib
import resource
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


@contextlib.contextmanager
def limited_files(size):
    """Let no file of this process grow beyond ``size`` bytes: EFBIG, as on FAT32 at 4 GiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
