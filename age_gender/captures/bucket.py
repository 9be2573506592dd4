"""The S3 bucket that captures are sent to."""

import base64
import contextlib
import dataclasses
import functools
import hashlib
import os
import queue
import re
import threading
import time
from urllib.parse import urlsplit

from age_gender.captures.answers import SendError, explained, set_up_failed, unconfirmed
from age_gender.command_line import log

CONTENT_TYPE = "application/x-ndjson"
TIMEOUT = 10  # seconds that S3 has to answer
PATIENCE = 20  # seconds for a request in all, and one more for each `SLOWEST` bytes
SLOWEST = 10_000
LONGEST_BODY, CHUNK = 2**20, 2**16  # bytes of an answer that are read


class Bucket:
    """The bucket.

    Args:
        settings: `settings.S3` with a bucket.

    Raises `answers.SendError` if boto3 cannot be set up.
    """

    def __init__(self, settings):
        self.settings = settings
        try:
            self._client = self._set_up()
            self.settings = _with_endpoint_of(self._client, settings)
        except Exception as error:  # of whatever class: the reason is in the user's settings
            raise set_up_failed(error) from error
        self._unanswered = None  # the thread whose request was given up
        self._first = None  # status and headers of the first answer to a request

    def _set_up(self):
        import boto3  # slow to import, and needed only if captures are sent
        from botocore.config import Config

        settings, keys = self.settings, {}
        for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            wanted = os.environ.get(name) and not (settings.endpoint or "").startswith("http://")
            if wanted and not os.path.exists(os.environ[name]):
                raise FileNotFoundError(f"{name}={os.environ[name]} does not exist")
        if settings.key is not None:
            keys = {"aws_access_key_id": settings.key, "aws_secret_access_key": settings.secret}
        config = Config(
            connect_timeout=TIMEOUT,
            read_timeout=TIMEOUT,
            retries={"total_max_attempts": 1},  # the outbox keeps what failed
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        region = settings.region or (settings.endpoint and "us-east-1")
        client = boto3.session.Session().client(
            "s3", endpoint_url=settings.endpoint, region_name=region, config=config, **keys
        )
        # Asked first because of the asterisk: boto3 makes 500 of a 200 with a body that is no XML.
        client.meta.events.register("*.s3.PutObject", self._note)
        client.meta.events.register("before-send.s3.HeadBucket", _elsewhere)
        _limit_answers(client._endpoint.http_session)
        return client

    def _note(self, event_name, response_dict=None, **_):
        if self._first is None and response_dict is not None:
            self._first = response_dict["status_code"], response_dict["headers"]

    def send(self, name, content):
        """Send a capture. When this returns, S3 has it.

        Args:
            name: of the object, without the prefix.
            content: bytes.

        Raises `answers.SendError`.
        """
        server = self.settings.endpoint or "Amazon S3"
        late = SendError(f"{server} does not answer to the end in time")
        if self._unanswered is not None and self._unanswered.is_alive():
            raise late
        outcome = queue.SimpleQueue()
        # boto3 limits only how long the server is silent: one that answers letter by letter
        # could keep it for hours.
        asking = threading.Thread(target=self._ask, args=(name, content, outcome), daemon=True)
        asking.start()
        try:
            error = outcome.get(timeout=PATIENCE + len(content) / SLOWEST)
        except queue.Empty:
            self._unanswered = asking
            raise late from None
        if error is not None:
            raise error

    def _ask(self, name, content, outcome):
        try:
            outcome.put(self._send(name, content))
        except BaseException as error:
            outcome.put(error)

    def _send(self, name, content):
        settings = self.settings
        key = settings.prefix + name
        options = {
            "ACL": settings.acl,
            "ServerSideEncryption": settings.encryption,
            "ContentType": CONTENT_TYPE,
            "ContentMD5": base64.b64encode(_md5(content).digest()).decode(),
        }
        if settings.encryption == "aws:kms":  # the ETag is not the MD5 then
            options["ChecksumSHA256"] = _sha256(content)
        options = {name: value for name, value in options.items() if value is not None}
        self._first = None
        try:
            answer = self._client.put_object(
                Bucket=settings.bucket, Key=key, Body=content, **options
            )
        except Exception as error:  # of whatever class: this capture is not sent
            raise explained(error, settings, self._first) from error
        about = answer["ResponseMetadata"]
        if not (_proves(answer, content) or self._has(key, content, about["HTTPHeaders"])):
            raise unconfirmed(settings, about["HTTPStatusCode"], about["HTTPHeaders"])

    def _has(self, key, content, headers):
        """Whether S3 gives back what was sent: the proof where an answer holds no other.

        So it is with a bucket that encrypts with a key of KMS by default, or a server with ETags
        of its own. The key must be allowed to read then.
        """
        if not {"etag", "x-amz-request-id", "x-amz-id-2"} & headers.keys():
            return False  # it is no S3
        try:
            body = self._client.get_object(Bucket=self.settings.bucket, Key=key)["Body"]
            with body:
                return body.read(len(content) + 1) == content
        except Exception:  # of whatever class: it is no proof
            return False


def _with_endpoint_of(client, settings):
    """The settings with the address that boto3 took from its own: AWS_ENDPOINT_URL or a file."""
    address = urlsplit(client.meta.endpoint_url)
    if settings.endpoint or re.search(r"\.amazonaws\.com(\.cn)?$", address.hostname or ""):
        return settings
    endpoint = f"{address.scheme}://{address.netloc.rpartition('@')[2]}"
    return dataclasses.replace(settings, endpoint=endpoint)


def _elsewhere(**_):
    """End what boto3 does about a redirection without a region: it would ask on and on for one."""
    raise ConnectionError("a redirection")


def _limit_answers(session):
    """Let boto3 read no answer without end; what it asks for as a stream is limited by the reader.

    Args:
        session: its `URLLib3Session`, which is changed.
    """
    send = session.send

    def limited(request):
        if request.stream_output:
            return send(request)
        request.stream_output = True
        response = send(request)
        response._content = _beginning(response.raw)
        return response

    session.send = limited


def _beginning(raw):
    """What arrives of an answer's body before the time, the room or the connection ends."""
    body, deadline = b"", time.monotonic() + TIMEOUT
    with contextlib.suppress(Exception):  # of whatever class: the headers have come
        while len(body) < LONGEST_BODY and time.monotonic() < deadline:
            data = raw.read1(CHUNK)
            if not data:
                return body
            body += data
    raw.close()
    return body


def _md5(content):
    return hashlib.md5(content, usedforsecurity=False)


def _sha256(content):
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _proves(answer, content):
    """Whether the answer to a PUT has the digest of what was sent."""
    etag = answer.get("ETag", "").strip().removeprefix("W/").strip('"').lower()
    return etag == _md5(content).hexdigest() or answer.get("ChecksumSHA256") == _sha256(content)


@functools.cache
def warn_of_open_network(settings):
    """Log once that faces and embeddings can be read on the way to S3, where that is so."""
    if settings.bucket is not None and settings.readable_on_the_way:
        log(
            f"warning: {settings.endpoint}: faces and embeddings are sent without "
            "encryption, so that others can read them on the way: use https://"
        )
