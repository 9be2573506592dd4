"""What every command shares: one-line errors, progress, and quiet libraries."""

import argparse
import collections
import contextlib
import math
import os
import runpy
import select
import signal
import sys
import tempfile
import time

# OpenCV reads these when it is imported, and every command imports this module first.
os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

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
    global _entry_point
    _entry_point = os.path.basename(sys.argv[0]).removesuffix(".exe")
    module = _entry_point.removeprefix("age-gender-").replace("-", "_")
    runpy.run_module(f"age_gender.{module}", run_name="__main__", alter_sys=True)


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


class UserError(Exception):
    """A mistake of the user: the message is one line that names the thing and what to do."""


@contextlib.contextmanager
def option(name):
    """Put an option's name before the message of a `UserError` that is raised in the block."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def run(main):
    """Run a command's ``main`` and end the process with its exit code.

    A `UserError`, or a file that the system refuses, is one line on stderr and exit code 2;
    Ctrl-C and a plain ``kill`` are one line and 130; a reader that closes the pipe early
    (``| head``) ends the command silently.
    """
    name = _program()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = main()
        sys.stdout.flush()
        sys.exit(code)
    except UserError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(f"\n{name}: {str(stop) or 'stopped'}", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except OSError as error:
        left = isinstance(error, BrokenPipeError) and _reader_has_left(sys.stdout)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be said
        if left:
            sys.exit(128 + signal.SIGPIPE)
        if error.strerror is None:
            raise
        what = f"{error.filename}: " if error.filename else ""
        print(f"{name}: error: {what}{error.strerror}", file=sys.stderr)
        sys.exit(2)


def _reader_has_left(stream):
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


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


def in_order(pool, function, items, ahead):
    """Yield (item, future of ``function(item)``) in the order of the items.

    At most ``ahead`` items are worked on or wait at a time, so memory does not grow with them.
    """
    waiting = collections.deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) >= ahead:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for _, future in waiting:
            future.cancel()


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
            needless = NEEDLESS.get(os.environ.get("KERAS_BACKEND", "tensorflow"), set())
            with _hidden(needless - sys.modules.keys()):
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
