"""What commands print: results on stdout, everything else on stderr."""

import sys
import time


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


def printable(name):
    """A file's name with escapes for line ends, other control characters and bytes of no text."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in name
    )


def plural(count, noun):
    """A count with its noun: "1 face", "2 faces"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def some(names, most=3):
    """How many names there are, and the first of them: "3 (a, b, ...)"."""
    more = ", ..." if len(names) > most else ""
    return f"{len(names)} ({', '.join(map(str, names[:most]))}{more})"


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
