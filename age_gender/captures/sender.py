"""Stores captures in the outbox and sends them to S3, in threads: the window never waits."""

import collections
import contextlib
import queue
import threading

from age_gender.captures.answers import SendError, one_line
from age_gender.captures.bucket import Bucket
from age_gender.captures.delivery import deliver
from age_gender.captures.records import json_lines, without_biometrics
from age_gender.command_line import log

FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0  # seconds before a failed capture is sent again

Outcome = collections.namedtuple("Outcome", "saved text")
Outcome.__doc__ = "Whether something is on disk; where it is, if that is to be said, or why not."

_heard_or_not = contextlib.suppress(OSError, ValueError)  # what is stored is stored


class Sender:
    """Stores captures and sends them, in two threads.

    Args:
        outbox: `outbox.Outbox`.
        s3: `settings.S3`; without a bucket nothing is sent.
        make_bucket: function of ``s3`` that returns a `Bucket`.
        dry_run: log where captures would be sent instead of sending them.

    Attributes:
        outcomes: queue.SimpleQueue of `Outcome`, one for each capture or saved frame.
    """

    def __init__(self, outbox, s3, make_bucket=Bucket, dry_run=False):
        self.outbox = outbox
        self.outcomes = queue.SimpleQueue()
        self._s3 = s3
        self._make_bucket = make_bucket
        self._dry_run = dry_run
        self._submitted = queue.Queue()
        self._closing = threading.Event()
        self._new = threading.Event()
        self._problem = None  # the last one reported
        self._storing = threading.Thread(target=self._store, daemon=True)
        self._storing.start()
        if s3.bucket is not None and not dry_run:
            threading.Thread(target=self._send, daemon=True).start()

    def submit(self, records, frame_id):
        """Store a capture soon; the result is put into `outcomes`."""
        self.store(self.outbox.folder, lambda: self._capture(records, frame_id))

    def store(self, folder, work):
        """Store something soon; the result is put into `outcomes`.

        Args:
            folder: where, for the message if that fails.
            work: function that stores it and returns the text of the outcome.
        """
        self._submitted.put((folder, work))

    def drain(self):
        """Wait until every submitted capture is stored."""
        self._submitted.join()

    def close(self):
        """Store what was submitted, within half a second, and stop sending."""
        self._closing.set()
        self._new.set()
        self._submitted.put(None)
        self._storing.join(0.5)

    def _store(self):
        while (submitted := self._submitted.get()) is not None:
            folder, work = submitted
            try:
                outcome = Outcome(True, work())
            except Exception as error:  # of whatever class: the next one is stored all the same
                outcome = not_saved(folder, error)
            self.outcomes.put(outcome)
            self._submitted.task_done()

    def _capture(self, records, frame_id):
        path = self.outbox.add(frame_id, records)
        self._new.set()
        with _heard_or_not:
            print(json_lines(without_biometrics(records)), end="", flush=True)
            if self._dry_run and self._s3.bucket is not None:
                log(f"would be sent to {self._s3.address(path.name)}")
        return ""

    def _send(self):
        bucket, pause = None, FIRST_PAUSE
        while not self._closing.is_set():
            self._new.clear()
            try:
                bucket = bucket or self._make_bucket(self._s3)
                queued = self.outbox.queued()
                deliver(self.outbox, bucket, queued, self._accepted, self._closing.is_set)
            except Exception as error:  # whatever it is, sending goes on
                expected = isinstance(error, SendError)
                self._report(
                    str(error) if expected else f"{type(error).__name__}: {one_line(error)}"
                )
                self._closing.wait(pause)
                pause = min(2 * pause, LAST_PAUSE)
            else:
                pause = FIRST_PAUSE
                self._new.wait()

    def _accepted(self):
        if self._problem is not None:
            self._problem = None
            log("S3 accepts captures again")

    def _report(self, problem):
        """Log once why nothing is sent."""
        if problem != self._problem and not self._closing.is_set():
            self._problem = problem
            log(f"{problem}; captures stay queued in {self.outbox.folder}")


def not_saved(folder, error):
    """The `Outcome` of something that could not be stored, which is logged too."""
    reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {one_line(error)}"
    with _heard_or_not:
        log(f"not saved: {folder}: {reason}")
    return Outcome(False, reason)
