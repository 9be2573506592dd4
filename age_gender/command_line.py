"""What every command shares: one-line errors, progress, and quiet libraries."""

import argparse
import contextlib
import math
import os
import runpy
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

from age_gender import system
from age_gender.errors import UserError

ROOT = Path(__file__).resolve().parent.parent

NEEDLESS = {  # of what Keras and its backend import
    "tensorflow": {"jax", "matplotlib"},
    "jax": {"tensorflow", "matplotlib"},
}


class HelpFormatter(argparse.HelpFormatter):
    """Adds the default to a help text, unless there is none or the text names it."""

    def _get_help_string(self, action):
        empty = action.default is False or action.default in (None, (), argparse.SUPPRESS)
        if empty or "default" in action.help:
            return action.help
        return f"{action.help} (default: %(default)s)"


_entry_point = None  # the name of the command where pip made one


def console():
    """Run the command of this process's name: age-gender-demo is ``python -m age_gender.demo``."""
    from age_gender import installation

    global _entry_point
    _entry_point = os.path.basename(sys.argv[0]).removesuffix(".exe")
    module = _entry_point.removeprefix("age-gender-").replace("-", "_")
    package = "" if installation.CHECKOUT else "age_gender."
    runpy.run_module(package + module, run_name="__main__", alter_sys=True)


def _program():
    return _entry_point or os.path.basename(sys.argv[0])


class _Version(argparse.Action):
    def __call__(self, parser, *_):
        from age_gender import installation  # which asks git only here

        print(f"{parser.prog}: age-gender-estimation {installation.version()}")
        parser.exit()


class Parser(argparse.ArgumentParser):
    """An argument parser with --version, whose errors are one line, without the usage."""

    def __init__(self, prog=None, **settings):
        super().__init__(prog or _program(), formatter_class=HelpFormatter, **settings)
        self.add_argument(
            "--version",
            action=_Version,
            nargs=0,
            default=argparse.SUPPRESS,
            help="print the version and the commit, and end",
        )

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


@contextlib.contextmanager
def option(name):
    """Put an option's name before the message of a `UserError` that is raised in the block."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


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
    _prepare_streams()
    _forget_strict_warnings()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = main()
        sys.stdout.flush()
        sys.exit(code)
    except UserError as error:
        _fail(error)
    except KeyboardInterrupt as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        log(f"\n{_program()}: {str(stop) or 'stopped'}")
        sys.exit(system.STOPPED)
    except ImportError as error:
        reason = _environment_problem(error)
        if reason is None:
            raise
        _fail(reason)
    except OSError as error:
        left = system.is_broken_pipe(error) and system.reader_has_left(sys.stdout)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be said
        if left:
            sys.exit(system.READER_HAS_LEFT)
        if error.strerror is None:
            raise
        _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)


def _fail(reason):
    log(f"{_program()}: error: {reason}")
    sys.exit(2)


def _prepare_streams():
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


def _forget_strict_warnings():
    """Let a library's warning end nothing, here and in processes that are started from here."""
    os.environ.pop("PYTHONWARNINGS", None)
    sys.warnoptions.clear()
    warnings.filters[:] = [each for each in warnings.filters if each[0] != "error"]


def _environment_problem(error):
    """What is wrong with the installed packages, in one line; None where the fault is our own."""
    while isinstance(error.__cause__ or error.__context__, ImportError):
        error = error.__cause__ or error.__context__
    package = (error.name or "").partition(".")[0]
    if package == "age_gender" or (ROOT / f"{package}.py").is_file():
        return None
    reason = str(error).strip().splitlines()[-1]
    if isinstance(error, ModuleNotFoundError):
        return (
            f"{reason}: activate the environment first (. .venv/bin/activate, on Windows "
            r".venv\Scripts\activate), or run make demo to make it"
        )
    return (
        f"{reason}: a package is broken or of another version: python3 tools/check_system.py says "
        "what the system lacks, requirements.txt lists the versions"
    )


def log(text):
    """Print a line of talk on stderr, where it does not mix with results."""
    print(text, file=sys.stderr, flush=True)


def result(line):
    """Print a line of results on stdout, above the progress bar if there is one."""
    if sys.stderr.isatty() and sys.stdout.isatty():
        from tqdm import tqdm

        tqdm.write(line)
    else:
        print(line, flush=True)


def plural(count, noun):
    """A count with its noun: "1 face", "2 faces"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def progress(items, total, what, every=10.0):
    """Iterate over ``items`` and show how far along they are on stderr.

    A tqdm bar on a terminal; elsewhere (a log, a pipe) a plain line each ``every`` seconds.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, unit=f" {what}", dynamic_ncols=True, file=sys.stderr)
        return
    last = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        if time.monotonic() - last >= every:
            last = time.monotonic()
            log(f"{count} of {total} {what}")


@contextlib.contextmanager
def _hidden(modules):
    """Let imports of some modules fail while the block lasts."""
    sys.modules.update(dict.fromkeys(modules))
    try:
        yield
    finally:
        for module in modules:
            del sys.modules[module]


@contextlib.contextmanager
def _keras_of_our_own():
    """Let Keras be imported in the block with its defaults; yield the name of its backend.

    Backend, layout, precision: what other programs have put into ~/.keras/keras.json is for them.
    Only KERAS_BACKEND chooses, between the backends that this program runs on.
    """
    before = {name: os.environ.get(name) for name in ("KERAS_BACKEND", "KERAS_HOME")}
    backend = before["KERAS_BACKEND"] if before["KERAS_BACKEND"] in NEEDLESS else "tensorflow"
    os.environ["KERAS_BACKEND"] = backend
    os.environ["KERAS_HOME"] = os.devnull  # where there is no file, nor can one be made
    try:
        yield backend
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def quiet_start():
    """Import TensorFlow or Keras in the block: its talk stays off the terminal, and it is quicker.

    The talk is written by C++ code before any log level is read, so stderr itself is turned
    aside. Where an error leaves the block, what was written is printed after all. What they
    import only because it is there (`NEEDLESS`) is hidden meanwhile: it takes a quarter of the
    time.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            with _keras_of_our_own() as backend, _hidden(NEEDLESS[backend] - sys.modules.keys()):
                yield
        except Exception:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def number_between(low, high, kind=float):
    """An argparse ``type`` that accepts a number of ``kind`` from ``low`` to ``high``."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high or math.isinf(value):
            name = "a whole number" if kind is int else "a number"
            limit = f"from {low} up" if high == float("inf") else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"must be {name} {limit}, received {text!r}")
        return value

    return parse
