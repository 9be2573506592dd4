"""Says which packages of the system are missing, before anything is installed.

    python3 tools/check_system.py

Needs nothing but Python itself. opencv-python's window is Qt on X11, so it asks for their
libraries, with or without a display.
"""

import ctypes
import importlib.util
import sys

APT_GET = "apt-get install -y git make python3-venv libgl1 libglib2.0-0 libsm6"
LIBRARIES = (
    "libGL.so.1",
    "libgthread-2.0.so.0",
    "libxcb.so.1",
    "libX11.so.6",
    "libXext.so.6",
    "libSM.so.6",
    "libICE.so.6",
)
OLDEST, NEWEST = (3, 11), (3, 13)


def missing_libraries(names=LIBRARIES):
    """Those of the shared libraries that the dynamic linker does not find."""
    missing = []
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def problem(version=sys.version_info[:2], libraries=LIBRARIES, modules=("venv", "ensurepip")):
    """What stands against installing, and the remedy, in one line; None where nothing does."""
    if not OLDEST <= version <= NEWEST:
        return (
            f"Python {version[0]}.{version[1]} is not supported: use 3.11, 3.12 or 3.13, as in "
            "make PYTHON=python3.12"
        )
    missing = missing_libraries(libraries)
    missing += [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        return f"missing {', '.join(missing)}: run as root: {APT_GET}"
    return None


def main():
    line = problem()
    if line:
        print(f"check_system.py: error: {line}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
