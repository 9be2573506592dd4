"""Says for which systems each pin of the requirements has a wheel: nothing is compiled there.

    python3 -m tools.check_wheels

Asks the package index that pip uses what files there are, once for each pin, and downloads none.
"""

from age_gender.start import run

import collections
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from age_gender.command_line import Parser, UserError, progress

REQUIREMENTS = ("requirements-run.txt", "requirements.txt", "requirements-export.txt")
PYTHONS = ((3, 11), (3, 12), (3, 13))
GLIBC = 31  # 2.31, of Debian 11 and Ubuntu 20.04
MACOS = (14, 0)
SYSTEMS = ("Linux x86-64", "Linux aarch64", "macOS arm64", "Windows x86-64")
WITHOUT_WHEEL = {"face-recognition-models": "only data: pip packs it itself, without a compiler"}

File = collections.namedtuple("File", "name python")
File.__doc__ = "A file of the index: its name, and the versions of Python that it is for, or None."


def pins(names=REQUIREMENTS):
    """The (name, version) of each pin in the requirements files."""
    folder = Path(__file__).resolve().parent.parent
    text = "".join((folder / name).read_text(encoding="utf-8") for name in names)
    return re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)


def files_of(pin):
    """The wheels and sdists of a pin that the index has, as `File`s.

    Raises `UserError` where there is none, or the index does not answer.
    """
    name, version = pin
    pip = [sys.executable, "-m", "pip", "-vv", "index", "versions", name]
    answer = subprocess.run(pip, capture_output=True, encoding="utf-8")
    files = found(answer.stdout + answer.stderr, version)
    if not files:
        reason = next((x for x in answer.stderr.splitlines() if x.startswith("ERROR")), "no file")
        raise UserError(f"the index has no {name}=={version} ({reason})")
    return files


def found(log, version):
    """The `File`s of one version that pip's log of an index page names."""
    named = re.findall(
        r"/([^/\s]+\.(?:whl|tar\.gz|zip))(?:#\S*)? \(from \S+\)(?: \(requires-python:(.*?)\))?",
        log,
    )
    return [
        File(name, python or None)
        for name, python in dict.fromkeys(named)
        if re.search(rf"-{re.escape(version)}(-|\.tar|\.zip)", name)
    ]


def platforms(system):
    """The platform tags that the oldest system meant by a name takes."""
    from packaging import tags

    if system == "macOS arm64":
        return list(tags.mac_platforms(MACOS, "arm64"))
    if system == "Windows x86-64":
        return ["win_amd64"]
    machine = system.removeprefix("Linux ").replace("-", "_")
    numbered = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC, 4, -1)]
    named = [f"manylinux{year}_{machine}" for year in (2014, 2010, 1)]
    return [*numbered, *named, f"linux_{machine}"]


def has_wheel(files, system, python):
    """Whether one of a pin's files is a wheel for the system and the version of Python."""
    from packaging import tags
    from packaging.specifiers import SpecifierSet
    from packaging.utils import parse_wheel_filename

    known = platforms(system)
    taken = {*tags.cpython_tags(python, platforms=known)}
    taken |= {*tags.compatible_tags(python, "cp{}{}".format(*python), known)}
    release = "{}.{}.99".format(*python)
    return any(
        file.name.endswith(".whl")
        and (file.python is None or release in SpecifierSet(file.python))
        and taken & parse_wheel_filename(file.name)[3]
        for file in files
    )


def report(files):
    """Lines that say for each system and Python what has no wheel, and whether that is all right.

    Args:
        files: dict of the `File`s of each (name, version).

    Returns:
        (lines, whether nothing is missing but what `WITHOUT_WHEEL` names).
    """
    lines, whole = [f"on glibc 2.{GLIBC}, macOS {MACOS[0]}, and newer:"], True
    for system in SYSTEMS:
        for python in PYTHONS:
            missing = [
                "{}=={}".format(*pin)
                for pin, there in files.items()
                if pin[0] not in WITHOUT_WHEEL and not has_wheel(there, system, python)
            ]
            verdict = "a wheel for every pin"
            if missing:
                whole = False
                verdict = (
                    f"no wheel for {', '.join(missing)}: pin a version that has one (pip index "
                    "versions NAME), or use another Python"
                )
            lines.append("{}, Python {}.{}: {}".format(system, *python, verdict))
    lines += [f"not a wheel: {name} ({why})" for name, why in WITHOUT_WHEEL.items()]
    return lines, whole


def get_args(argv=None):
    parser = Parser(
        description="Check that what the requirements list installs from wheels on Linux "
        f"(glibc 2.{GLIBC} or newer), macOS ({MACOS[0]} or newer) and Windows."
    )
    return parser.parse_args(argv)


def main(argv=None):
    get_args(argv)
    pinned = pins()
    with ThreadPoolExecutor(4) as pool:
        files = list(progress(pool.map(files_of, pinned), len(pinned), "pins"))
    lines, whole = report(dict(zip(pinned, files)))
    print("\n".join(lines))
    return 0 if whole else 1


if __name__ == "__main__":
    run(main)
