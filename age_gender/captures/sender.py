"""Captures: records of the faces in a frame, which wait on disk until S3 has confirmed them.

A capture is one file of JSON lines, one for each face. The key of its object is fixed when it is
made, so that sending it again overwrites itself; its file goes only when S3 has confirmed it.
"""

import base64
import collections
import contextlib
import datetime
import hashlib
import json
import os
import queue
import threading
import time
import uuid

from age_gender.command_line import UserError, log
from age_gender.files import replace, sync_folder
from age_gender.output import tables as results

CONTENT_TYPE = "application/x-ndjson"
SUFFIX = ".jsonl"
UNFINISHED = ".part"
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0  # seconds before what failed is sent again
SECONDS = 10  # that S3 has to answer
DAY = 24 * 60 * 60
BIG = ("face_jpeg", "embedding")  # what is stored but not printed

Outcome = collections.namedtuple("Outcome", "saved text")
Outcome.__doc__ = "Whether a capture is safe on disk, and what the screen says of it."


def now():
    """This moment, as records write it: ISO 8601, UTC."""
    return _iso(time.time())


def _iso(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


def records_of(analysis, frame_id, save_faces=False, consent=None):
    """The records of the faces in a frame.

    Args:
        analysis: `analyst.Analysis`; embeddings are kept where it has them.
        frame_id: milliseconds since 1970.
        save_faces: also keep a picture of each face.
        consent: when the person said yes, ISO 8601; None where nobody was asked.

    Returns:
        List of dicts that JSON can take. Ages are in years, boxes in pixels.
    """
    records = []
    image = analysis.frame.image
    for number, seen in enumerate(analysis.seen, 1):
        box = left, top, width, height = seen.face.inside(image)
        said = results.row({}, box, seen.face.score, seen.estimate)
        record = {
            "key": frame_id * 100 + number,
            "datetime": _iso(analysis.frame.time),
            "frame_id": frame_id,
            "frame_face_id": number,
            "predicted_ages": said.pop("age"),
            "predicted_genders": said.pop("gender"),
            "gender_probability": said.pop("probability"),
            "identity": seen.identity,
            **said,
            "source": analysis.frame.name,
            "frame": analysis.frame.number,
            "has_face": save_faces,
            "has_embedding": seen.embedding is not None,
        }
        if consent is not None:
            record["consent"] = consent
        if save_faces:
            record["face_jpeg"] = _jpeg(image[top : top + height, left : left + width])
        if seen.embedding is not None:
            record["embedding"] = seen.embedding
        records.append(record)
    return records


def _jpeg(image):
    import cv2

    return base64.b64encode(cv2.imencode(".jpg", image)[1]).decode()


def numbers_of(records):
    """Records without their pictures and embeddings."""
    return [{key: value for key, value in record.items() if key not in BIG} for record in records]


def lines_of(records):
    """Records as JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


class Outbox:
    """The folder where captures wait, one file each, in the order in which they were made."""

    def __init__(self, folder):
        self.folder = folder
        self._last = 0

    def frame_id(self):
        """Milliseconds since 1970, never the same twice."""
        self._last = max(int(time.time() * 1000), self._last + 1)
        return self._last

    def add(self, frame_id, records):
        """Keep a capture. When this returns it is on the disk, whatever happens then.

        Returns:
            Its file. Raises `OSError` where it cannot be kept; then nothing of it is.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{frame_id}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        partial = path.with_name(path.name + UNFINISHED)
        try:
            with open(partial, "w", encoding="utf-8") as file:
                file.write(lines_of(records))
                file.flush()
                os.fsync(file.fileno())
            replace(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        sync_folder(self.folder)
        return path

    def waiting(self):
        """The captures' files, the oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if path.suffix == SUFFIX)

    def prune(self, days):
        """Delete what is older than ``days``, sent or not; return how many captures that were."""
        count = 0
        for path in self.waiting():
            try:
                if time.time() - path.stat().st_mtime > days * DAY:
                    path.unlink()
                    count += 1
            except FileNotFoundError:  # sent meanwhile
                continue
        return count

    def clean(self):
        """Delete what a killed process has left half written; none of it was said to be saved."""
        if not self.folder.is_dir():
            return
        for path in self.folder.glob(f"*{SUFFIX}{UNFINISHED}"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > 60:
                    path.unlink()


class NotSent(Exception):
    """S3 has not confirmed a capture, nor would it another; the message says why in plain words."""


class NotTaken(NotSent):
    """S3 has not confirmed this capture; it may take another."""


class Bucket:
    """The bucket that captures are sent to.

    Args:
        settings: `settings.S3`, with a bucket.
    """

    def __init__(self, settings):
        import boto3
        from botocore.config import Config

        self.settings = settings
        keys = {}
        if settings.key is not None:
            keys = {"aws_access_key_id": settings.key, "aws_secret_access_key": settings.secret}
        self._client = boto3.session.Session().client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region or (settings.endpoint and "us-east-1"),
            config=Config(
                connect_timeout=SECONDS,
                read_timeout=SECONDS,
                retries={"total_max_attempts": 1},  # what failed waits in the outbox
                request_checksum_calculation="when_required",
            ),
            **keys,
        )

    def address(self, path):
        """Where a capture's file goes."""
        return f"s3://{self.settings.bucket}/{self.settings.prefix}{path.name}"

    def send(self, path):
        """Send a capture's file and delete it when S3 has confirmed it. Raises `NotSent`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            content = path.read_bytes()
        except FileNotFoundError:  # another process has sent it
            return
        options = {
            "ACL": self.settings.acl,
            "ServerSideEncryption": self.settings.encryption,
            "ContentType": CONTENT_TYPE,
            "ContentMD5": base64.b64encode(hashlib.md5(content).digest()).decode(),
        }
        try:
            self._client.put_object(
                Bucket=self.settings.bucket,
                Key=self.settings.prefix + path.name,
                Body=content,
                **{name: value for name, value in options.items() if value is not None},
            )
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            raise self._failure(error) from error
        path.unlink(missing_ok=True)

    def _failure(self, error):
        """The `NotSent` of an error of boto3: why nothing was sent and what to do, in one line."""
        from botocore import exceptions

        where = self.settings.endpoint or "Amazon S3"
        bucket = f"bucket {self.settings.bucket}"
        if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
            return NotSent("no key for S3: set AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY")
        if isinstance(error, exceptions.ParamValidationError):
            return NotSent(f"{bucket}: the name, the prefix or another setting is not valid")
        if isinstance(error, exceptions.ClientError):
            code = error.response.get("Error", {}).get("Code", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"):
                return NotSent(
                    f"{where} refuses the key ({code}): check AWS_SERVER_PUBLIC_KEY and "
                    "AWS_SERVER_SECRET_KEY"
                )
            if code == "NoSuchBucket":
                return NotSent(f"{where} has no {bucket}: make it, or set S3_BUCKET")
            if status == 403:
                return NotSent(f"{where} does not let this key write to {bucket} ({code})")
            said = status if code == str(status) else f"{status} {code}"
            return NotTaken(f"{where} answers {said} for {bucket}")
        if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
            return NotSent(f"{where} cannot be reached ({type(error).__name__})")
        return NotSent(f"{where}: {' '.join(str(error).split())}")


class Captures:
    """Keeps captures and sends them, in two threads, so that who makes them never waits.

    Args:
        outbox: `Outbox`.
        s3: `settings.S3`; without a bucket nothing is sent.
        make_bucket: function of it that returns a `Bucket`; it is slow the first time.
        dry_run: say where captures would be sent instead of sending them.

    Attributes:
        outcomes: queue.SimpleQueue of `Outcome`, one for each capture.
    """

    def __init__(self, outbox, s3, make_bucket=Bucket, dry_run=False):
        self.outbox = outbox
        self.outcomes = queue.SimpleQueue()
        self._s3 = s3
        self._make_bucket = make_bucket
        self._dry_run = dry_run
        self._made = queue.Queue()
        self._ended = threading.Event()
        self._new = threading.Event()
        self._said = None
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        if s3.bucket is not None and not dry_run:
            threading.Thread(target=self._send, daemon=True).start()

    def take(self, records, frame_id):
        """Keep a capture soon; what comes of it is put into `outcomes`."""
        self._made.put((records, frame_id))

    def close(self, wait=0.5):
        """Keep what was taken, and stop sending; return how many captures wait in the outbox.

        Args:
            wait: seconds to wait at most for what is being kept; None for as long as it takes.
        """
        self._ended.set()
        self._new.set()
        self._made.put(None)
        self._keeper.join(wait)
        return len(self.outbox.waiting())

    def _keep(self):
        while (made := self._made.get()) is not None:
            records, frame_id = made
            try:
                path = self.outbox.add(frame_id, records)
            except OSError as error:
                log(f"not saved: {self.outbox.folder}: {error.strerror}")
                self.outcomes.put(Outcome(False, f"NOT SAVED: {error.strerror}"))
                continue
            print(lines_of(numbers_of(records)), end="", flush=True)
            if self._dry_run and self._s3.bucket is not None:
                log(f"would be sent to s3://{self._s3.bucket}/{self._s3.prefix}{path.name}")
            faces = f"{len(records)} face{'s' if len(records) > 1 else ''}"
            self.outcomes.put(Outcome(True, f"saved: {faces}"))
            self._new.set()

    def _send(self):
        bucket, pause = None, FIRST_PAUSE
        while not self._ended.is_set():
            self._new.clear()
            try:
                bucket = bucket or self._make_bucket(self._s3)
                sent = self._send_all(bucket)
            except NotSent as error:
                sent = False
                self._complain(str(error))
            except Exception as error:  # whatever it is, sending goes on
                sent = False
                self._complain(f"{type(error).__name__}: {' '.join(str(error).split())}")
            if sent:
                pause = FIRST_PAUSE
                self._new.wait()
            else:
                self._ended.wait(pause)
                pause = min(2 * pause, LAST_PAUSE)

    def _send_all(self, bucket):
        """Send what waits; raise the last `NotSent`, one that is no `NotTaken` at once."""
        failed = None
        for path in self.outbox.waiting():
            if self._ended.is_set():
                return True
            try:
                bucket.send(path)
                if self._said is not None:
                    self._said = None
                    log("S3 takes captures again")
            except NotTaken as error:
                failed = error
        if failed is not None:
            raise failed
        return True

    def _complain(self, reason):
        """Say once why nothing is sent."""
        if reason != self._said and not self._ended.is_set():
            self._said = reason
            log(f"{reason}; captures wait in {self.outbox.folder}")


def flush(outbox, s3, progress, dry_run=False):
    """Send all that waits, without a camera.

    Args:
        outbox: `Outbox`.
        s3: `settings.S3`.
        progress: function of a list and its length that iterates over it and shows how far.
        dry_run: print what would be sent.

    Returns:
        How many captures were sent. Raises `UserError` where one was not.
    """
    waiting = outbox.waiting()
    if not waiting:
        return 0
    if s3.bucket is None:
        raise UserError(
            f"no bucket is set: S3_BUCKET=NAME sends the {len(waiting)} captures that wait in "
            f"{outbox.folder}"
        )
    if dry_run:
        for path in waiting:
            print(f"s3://{s3.bucket}/{s3.prefix}{path.name}  {path.stat().st_size} bytes")
            records = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            print(lines_of(numbers_of(records)), end="")
        return 0
    bucket = Bucket(s3)
    sent = 0
    for path in progress(waiting, len(waiting)):
        for pause in (1, 2, None):
            try:
                bucket.send(path)
                sent += 1
                break
            except NotSent as error:
                if pause is None:
                    raise UserError(
                        f"{error}; {sent} sent, {len(outbox.waiting())} wait in {outbox.folder}"
                    ) from error
                time.sleep(pause)
    return sent
