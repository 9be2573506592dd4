"""From the outbox to S3: a capture leaves it when S3 has it, and is put aside if it never will."""

import collections
import time

from age_gender.captures.answers import CaptureError, RefusedError, SendError
from age_gender.captures.bucket import Bucket, warn_of_open_network
from age_gender.captures.records import BIOMETRIC, json_lines, parse, without_biometrics
from age_gender.command_line import UserError, log

Flushed = collections.namedtuple("Flushed", "sent refused")
Flushed.__doc__ = "How many captures were sent, and how many are none or were refused for good."

PAUSES = (1.0, 2.0)  # seconds before `flush` tries again


def deliver(outbox, bucket, paths, accepted, stopped=lambda: False):
    """Send captures and delete those that S3 has.

    What S3 refuses while it takes others is put aside: see `outbox.Outbox.refuse`. What it refuses
    while it takes none stays: then the reason is likely to be a setting.

    Args:
        outbox: `outbox.Outbox`.
        bucket: `bucket.Bucket`.
        paths: iterable of files of the outbox.
        accepted: function without arguments that is called after each capture that was sent.
        stopped: function that returns whether to end early.

    Raises `SendError` at once where nothing can be sent, `CaptureError` at the end where something
    has to wait.
    """
    waiting, doubtful, any_sent = None, [], False
    for path in paths:
        if stopped():
            return
        try:
            if _deliver(outbox, bucket, path):
                any_sent = True
                accepted()
        except RefusedError as error:
            doubtful.append((path, error))
        except CaptureError as error:
            waiting = error
    for path, error in doubtful:
        if not any_sent:
            raise error
        try:
            if _deliver(outbox, bucket, path):  # what was wrong may have been put right meanwhile
                accepted()
        except RefusedError as again:
            _refuse(outbox, path, again)
    if waiting is not None:
        raise waiting


def _deliver(outbox, bucket, path):
    """Send a capture and delete it; return whether there was one to send."""
    try:
        content = outbox.read(path)
        records = parse(content)
        if any(field in record for record in records for field in BIOMETRIC):
            warn_of_open_network(bucket.settings)
        bucket.send(path.name, content)
        path.unlink(missing_ok=True)
    except FileNotFoundError:  # sent meanwhile by another program
        return False
    except ValueError as error:
        return _refuse(outbox, path, f"this is no capture: {error}")
    except RefusedError as error:
        if not error.final:
            raise
        return _refuse(outbox, path, error)
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}") from error
    return True


def _refuse(outbox, path, reason):
    try:
        outbox.refuse(path, str(reason))
    except OSError as error:
        raise CaptureError(f"{reason}: {outbox.refused}: {error.strerror}") from error
    return False


def flush(outbox, s3, progress, dry_run=False):
    """Send the whole queue, without a camera.

    Args:
        outbox: `outbox.Outbox`.
        s3: `settings.S3`.
        progress: function of a list and its length that iterates over the list and shows progress.
        dry_run: print what would be sent.

    Returns:
        `Flushed`. Raises `UserError` if one could not be sent.
    """
    queued = outbox.queued()
    if not queued:
        return Flushed(0, 0)
    if dry_run:
        return Flushed(0, show(outbox, s3, queued))
    if s3.bucket is None:
        raise UserError(f"no bucket is set: S3_BUCKET=NAME sends the {outbox.status()}")
    sent = 0

    def accepted():
        nonlocal sent
        sent += 1

    try:
        bucket = Bucket(s3)
        for pause in (*PAUSES, None):
            try:
                deliver(outbox, bucket, progress(queued, len(queued)), accepted)
                break
            except SendError:
                if pause is None:
                    raise
            time.sleep(pause)
            queued = [path for path in queued if path.exists()]
    except SendError as error:
        raise UserError(f"{error}; {sent} sent, {outbox.status()}") from error
    return Flushed(sent, outbox.refusals)


def show(outbox, s3, paths):
    """Print what would be sent: for each capture its address, its size and its records.

    Returns:
        How many files are no captures.
    """
    damaged = 0
    for path in paths:
        address = path.name if s3.bucket is None else s3.address(path.name)
        try:
            content = outbox.read(path)
            records = parse(content)
        except FileNotFoundError:  # sent meanwhile by another program
            continue
        except ValueError as error:
            damaged += 1
            log(f"{path.name}: this is no capture: {error}")
        except OSError as error:
            damaged += 1
            log(f"{path.name}: {error.strerror}")
        else:
            print(f"{address}  {len(content)} bytes")
            print(json_lines(without_biometrics(records)), end="")
    return damaged
