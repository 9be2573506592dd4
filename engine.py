"""The fastest way to train on this machine, found by timing it: no setting wins on every processor.

What holds a small network back on a processor is memory: glibc hands the megabytes of an activation
back to the system after every operation, and the system clears each page anew for the next one.
`keep_memory` stops that. Which of XLA and TensorFlow's own kernels is faster differs from one
processor to the next, so both are timed.
"""

import json
import os
import platform
import re
import sys
import time
from pathlib import Path

from command_line import say, whole_file

WAYS = {"xla": True, "plain": False}  # name: Keras's jit_compile
STEPS, SECONDS = 5, 20  # a way is timed over so many steps, or so long
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the most that glibc takes
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def keep_memory():
    """Start this process again with glibc told to keep what it has, in huge pages.

    glibc reads these settings when a process starts, and only then. Those that the user has set are
    left alone; where any is set, nothing is done.
    """
    if platform.libc_ver()[0] == "glibc" and not MALLOC.keys() & os.environ.keys():
        os.execve(sys.executable, sys.orig_argv, os.environ | MALLOC)


def choose(asked, key, make_model, batches):
    """The way to train: "xla" or "plain".

    Args:
        asked: one of these, or "auto" to time both, unless that was done before.
        key: text that names the network and the batch; it is remembered with the machine.
        make_model: function of ``jit_compile`` that returns a compiled model.
        batches: sequence whose first, (faces, targets), it is trained on.
    """
    if asked != "auto":
        return asked
    import keras

    if keras.backend.backend() != "tensorflow":
        return "xla"
    key = f"{_machine()}, {key}"
    known = _remembered()
    if key not in known:
        say("timing two ways to train, once for this machine, network and batch")
        batch = batches[0]
        known[key] = {name: _speed(make_model(jit), batch) for name, jit in WAYS.items()}
        _remember(known)
    speeds = known[key]
    best = max(speeds, key=speeds.get)
    figures = ", ".join(f"{name} {speed:.1f}" for name, speed in speeds.items())
    say(f"engine {best}, the fastest here (pictures a second: {figures})")
    return best


def _speed(model, batch):
    """Pictures a second in the steps of ``fit`` after the first two."""
    import keras
    import numpy as np

    ends = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            float(logs["loss"])  # waits until the step is done
            ends.append(time.perf_counter())
            if len(ends) > 3 and ends[-1] - ends[0] > SECONDS:
                self.model.stop_training = True

    faces, targets = batch
    count = STEPS + 2
    repeated = tuple(np.concatenate([target] * count) for target in targets)
    model.fit(
        np.concatenate([faces] * count),
        repeated,
        batch_size=len(faces),
        shuffle=False,
        verbose=0,
        callbacks=[Clock()],
    )
    return len(faces) / float(np.median(np.diff(ends)[1:]))


def _machine():
    import keras

    with open("/proc/cpuinfo") as file:
        first = file.read().split("\n\n", 1)[0]
    facts = dict(
        re.split(r"\s*:\s*", line, maxsplit=1) for line in first.splitlines() if ":" in line
    )
    flags = {"avx2", "avx512f", "amx_bf16"} & set(facts.get("flags", "").split())
    processor = " ".join([facts.get("model name", "unknown processor"), *sorted(flags)])
    return f"{processor}, {len(os.sched_getaffinity(0))} cores, Keras {keras.version()}"


def _memory():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(cache, "age-gender-estimation", "engines.json")


def _remembered():
    try:
        return json.loads(_memory().read_text())
    except (OSError, ValueError):
        return {}


def _remember(known):
    try:
        _memory().parent.mkdir(parents=True, exist_ok=True)
        with whole_file(_memory()) as partial:
            partial.write_text(json.dumps(known, indent=1))
    except OSError as error:
        say(f"the choice cannot be remembered: {error}")
