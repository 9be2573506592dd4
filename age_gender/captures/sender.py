"""Stores captures in the outbox and sends them to S3, in threads: the window never waits."""

import collections
import json
import queue
import threading
import time

from age_gender.captures.bucket import Bucket, CaptureError, SendError
from age_gender.captures.records import json_lines, without_biometrics
from age_gender.command_line import UserError, log, plural

FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0  # seconds before a failed capture is sent again

Outcome = collections.namedtuple("Outcome", "saved text")
Outcome.__doc__ = "Whether a capture is on disk, and what the screen says about it."


class Sender:
    """Stores captures and sends them, in two threads.

    Args:
        outbox: `outbox.Outbox`.
        s3: `settings.S3`; without a bucket nothing is sent.
        make_bucket: function of ``s3`` that returns a `Bucket`.
        dry_run: log where captures would be sent instead of sending them.

    Attributes:
        outcomes: queue.SimpleQueue of `Outcome`, one for each capture.
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
        self._submitted.put((records, frame_id))

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
        while (capture := self._submitted.get()) is not None:
            records, frame_id = capture
            try:
                path = self.outbox.add(frame_id, records)
            except OSError as error:
                log(f"not saved: {self.outbox.folder}: {error.strerror}")
                self.outcomes.put(Outcome(False, f"NOT SAVED: {error.strerror}"))
            else:
                print(json_lines(without_biometrics(records)), end="", flush=True)
                if self._dry_run and self._s3.bucket is not None:
                    log(f"would be sent to {self._s3.address(path.name)}")
                self.outcomes.put(Outcome(True, f"saved: {plural(len(records), 'face')}"))
                self._new.set()
            self._submitted.task_done()

    def _send(self):
        bucket, pause = None, FIRST_PAUSE
        while not self._closing.is_set():
            self._new.clear()
            try:
                bucket = bucket or self._make_bucket(self._s3)
                self._send_all(bucket)
            except Exception as error:  # whatever it is, sending goes on
                expected = isinstance(error, SendError)
                text = " ".join(str(error).split())
                self._report(text if expected else f"{type(error).__name__}: {text}")
                self._closing.wait(pause)
                pause = min(2 * pause, LAST_PAUSE)
            else:
                pause = FIRST_PAUSE
                self._new.wait()

    def _send_all(self, bucket):
        """Send the queue; raise a `SendError` at once, but a `CaptureError` at the end."""
        failed = None
        for path in self.outbox.queued():
            if self._closing.is_set():
                return
            try:
                bucket.send(path)
                if self._problem is not None:
                    self._problem = None
                    log("S3 accepts captures again")
            except CaptureError as error:
                failed = error
        if failed is not None:
            raise failed

    def _report(self, problem):
        """Log once why nothing is sent."""
        if problem != self._problem and not self._closing.is_set():
            self._problem = problem
            log(f"{problem}; captures stay queued in {self.outbox.folder}")


def flush(outbox, s3, progress, dry_run=False):
    """Send the whole queue, without a camera.

    Args:
        outbox: `outbox.Outbox`.
        s3: `settings.S3`.
        progress: function of a list and its length that iterates over the list and shows progress.
        dry_run: print what would be sent.

    Returns:
        How many captures were sent. Raises `UserError` if one could not be sent.
    """
    queued = outbox.queued()
    if not queued:
        return 0
    if s3.bucket is None:
        raise UserError(f"no bucket is set: S3_BUCKET=NAME sends the {outbox.status()}")
    if dry_run:
        for path in queued:
            print(f"{s3.address(path.name)}  {path.stat().st_size} bytes")
            records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            print(json_lines(without_biometrics(records)), end="")
        return 0
    try:
        bucket = Bucket(s3)
    except SendError as error:
        raise UserError(str(error)) from error
    sent = 0
    for path in progress(queued, len(queued)):
        for pause in (1, 2, None):
            try:
                bucket.send(path)
                sent += 1
                break
            except SendError as error:
                if pause is None:
                    raise UserError(f"{error}; {sent} sent, {outbox.status()}") from error
                time.sleep(pause)
    return sent
