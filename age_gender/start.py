"""The start and the end of every command: streams, signals, exit codes, errors in one line.

Commands import this module before any other, so that Ctrl-C is one line from then on.
"""

import os
import sys

from age_gender import interrupts


def _is_imported_by_program():
    """Whether the file that Python was told to run is what imports this module."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame.f_globals.get("__name__") == "__main__"


def program():
    """The name of the command."""
    return _entry_point or os.path.basename(sys.argv[0])


def prepare_streams():
    """Let no file name fail to be printed, whatever the locale, nor a stream that is closed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # it was closed when the process started, so this takes its number
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
            stream = open(number, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)
        if name != "stdin" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def trust_own_modules():
    """Let ``python -m`` find modules of this program before those of the current folder."""
    started_by_m = sys.modules["__main__"].__spec__ is not None
    if started_by_m and not sys.flags.safe_path:  # the current folder is the first then
        sys.path.append(sys.path.pop(0))


_entry_point = None  # the name of the command where pip made one
if _is_imported_by_program():
    prepare_streams()
    interrupts.begin(program().removesuffix(".exe"))
    trust_own_modules()

# What follows is imported when signals are taken care of.
import importlib.util  # noqa: E402
import runpy  # noqa: E402
import warnings  # noqa: E402

from age_gender import system  # noqa: E402
from age_gender.errors import UserError  # noqa: E402
from age_gender.messages import log, printable  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def console():
    """Run the command of this process's name: age-gender-demo is ``python -m age_gender.demo``."""
    from age_gender import installation  # which asks git with a process, and only here

    global _entry_point
    _entry_point = program().removesuffix(".exe")
    module = _entry_point.removeprefix("age-gender-").replace("-", "_")
    package = "" if installation.CHECKOUT else "age_gender."
    runpy.run_module(package + module, run_name="__main__", alter_sys=True)


def run(main, keep_memory=False):
    """Run a command's ``main`` and end the process with its exit code.

    A `UserError`, or a file that the system refuses, is one line on stderr and exit code 2;
    so is a package that is missing or broken. Ctrl-C and a plain ``kill`` are one line and 130; a
    reader that closes the pipe early (``| head``) ends the command silently.

    Args:
        main: function without arguments that returns an exit code or None.
        keep_memory: start again with the memory allocator set for networks, where that helps.
    """
    if keep_memory:
        system.keep_memory()
    prepare_streams()
    for number, stream in enumerate((sys.__stdin__, sys.__stdout__, sys.__stderr__)):
        if stream is None:  # it was closed: libraries of a child process want one too
            os.set_inheritable(number, True)
    _forget_strict_warnings()
    interrupts.begin(program())
    try:
        with interrupts.raised():
            code = main()
            sys.stdout.flush()
    except BaseException as error:
        if not interrupts.received() and not isinstance(error, KeyboardInterrupt):
            _end_by(error)
            raise
        # whatever an interrupted library makes of it
        interrupts.say(str(error) if isinstance(error, KeyboardInterrupt) else "")
        sys.exit(system.STOPPED)
    try:
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)
    sys.exit(system.STOPPED if interrupts.received() else code)


def _end_by(error):
    """End the process as an error demands; return where the fault is the program's own."""
    if isinstance(error, UserError):
        _fail(error)
    if isinstance(error, ImportError):
        reason = _environment_problem(error)
        if reason is not None:
            _fail(reason)
    if isinstance(error, OSError):
        left = system.is_broken_pipe(error) and system.reader_has_left(sys.stdout)
        named = error.filename
        try:
            sys.stdout.flush()
        except OSError:  # it keeps what it could not write, unless Python runs with -u
            named = named or "standard output"
        _silence(sys.stdout)
        if left:
            sys.exit(system.READER_HAS_LEFT)
        if error.strerror is not None:
            _fail(f"{named}: {error.strerror}" if named else error.strerror)


def _fail(reason):
    try:
        log(f"{program()}: error: {printable(str(reason))}")
    except OSError:  # stderr is full too: the exit code tells
        _silence(sys.stderr)
    sys.exit(2)


def _silence(stream):
    """Let nothing more be written to a stream, nor what it holds: Python would fail at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _forget_strict_warnings():
    """Let a library's warning end nothing, here and in processes that are started from here."""
    os.environ.pop("PYTHONWARNINGS", None)
    # multiprocessing's own process tidies up after one that ended at once, and says so
    sys.warnoptions[:] = ["ignore:resource_tracker"]
    warnings.filters[:] = [each for each in warnings.filters if each[0] != "error"]


def _environment_problem(error):
    """What is wrong with the installed packages, in one line; None where the fault is our own."""
    while isinstance(error.__cause__ or error.__context__, ImportError):
        error = error.__cause__ or error.__context__
    package = (error.name or "").partition(".")[0]
    if package == "age_gender" or os.path.isfile(os.path.join(TOP, f"{package}.py")):
        return None
    reason = str(error).strip().splitlines()[-1]
    if isinstance(error, ModuleNotFoundError):
        from age_gender import installation  # only here: it takes time

        if package in installation.TRAINING and importlib.util.find_spec("numpy"):
            return installation.how_to_train(package)
        return (
            f"{reason}: activate the environment first (. .venv/bin/activate, on Windows "
            r".venv\Scripts\activate), or run make demo to make it"
        )
    return (
        f"{reason}: a package is broken or of another version: python3 tools/check_system.py says "
        "what the system lacks, requirements-run.txt and requirements.txt list the versions"
    )
