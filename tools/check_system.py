"""Says which packages of the system are missing, before anything is installed.

    python3 tools/check_system.py

Needs nothing but Python itself, on Linux, macOS and Windows. On Linux, opencv-python's window is
Qt on X11, so it asks for their libraries, with or without a display.
"""

import ctypes
import importlib.util
import platform
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
MACHINES = {  # of each system those that TensorFlow has wheels for
    "Linux": ("x86_64", "aarch64"),
    "Darwin": ("arm64",),
    "Windows": ("AMD64",),
}


def missing_libraries(names=LIBRARIES):
    """Those of the shared libraries that the dynamic linker does not find."""
    missing = []
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def problem(
    version=sys.version_info[:2],
    libraries=LIBRARIES,
    modules=("venv", "ensurepip"),
    system=platform.system(),
    machine=platform.machine(),
):
    """What stands against installing, and the remedy, in one line; None where nothing does."""
    if not OLDEST <= version <= NEWEST:
        how = "py -3.12" if system == "Windows" else "make PYTHON=python3.12"
        return (
            f"Python {version[0]}.{version[1]} is not supported: use 3.11, 3.12 or 3.13, as in "
            f"{how}"
        )
    machines = MACHINES.get(system, ())
    if machine not in machines or sys.maxsize < 2**32:
        return (
            f"TensorFlow is not made for this Python ({system} {machine}, "
            f"{sys.maxsize.bit_length() + 1} bits): "
            + (f"use one for {' or '.join(machines)}, 64 bits" if machines else "use Linux")
        )
    missing = missing_libraries(libraries) if system == "Linux" else []
    missing += [name for name in modules if importlib.util.find_spec(name) is None]
    if not missing:
        return None
    if system == "Linux":
        return f"missing {', '.join(missing)}: run as root: {APT_GET}"
    return f"missing {', '.join(missing)}: install Python from python.org"


def main():
    line = problem()
    if line:
        print(f"check_system.py: error: {line}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
