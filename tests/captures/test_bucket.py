import base64
import email.utils
import hashlib
import itertools
import threading
import time

import pytest

from age_gender.captures import bucket as module
from age_gender.captures.answers import CaptureError, RefusedError, SendError
from age_gender.captures.bucket import Bucket, warn_of_open_network
from helpers import until
from helpers.s3 import BUCKET, Scripted, accepted, answer, error, settings_for

NAME, CONTENT = "1700000000000-0123abcd.jsonl", b'{"key": 170000000000001}\n'
PAGE = b"<html><head><title>Hotel</title></head><body>log in <br> here</body></html>"


@pytest.fixture(scope="module")
def server():
    server = Scripted()
    yield server
    server.close()


@pytest.fixture(scope="module")
def bucket(server):
    return Bucket(settings_for(server.endpoint))


@pytest.fixture
def scripted(server):
    server.seen.clear()
    return server


def test_object_is_private_encrypted_and_typed(s3, proxy):
    Bucket(settings_for(proxy.endpoint)).send(NAME, CONTENT)
    assert s3.objects() == {f"captures/{NAME}": CONTENT}
    (headers,) = proxy.seen
    assert headers["x-amz-server-side-encryption"] == "AES256"
    assert headers["Content-Type"] == "application/x-ndjson"
    assert "x-amz-acl" not in headers and "Content-MD5" in headers
    head = s3.client.head_object(Bucket=BUCKET, Key=f"captures/{NAME}")
    assert head["ServerSideEncryption"] == "AES256"
    open_to_all = settings_for(proxy.endpoint, acl="public-read", encryption=None, prefix="")
    Bucket(open_to_all).send(NAME, CONTENT)
    assert proxy.seen[-1]["x-amz-acl"] == "public-read"
    assert "x-amz-server-side-encryption" not in proxy.seen[-1]
    assert NAME in s3.objects()


def test_digest_of_what_was_sent_is_the_proof(scripted, bucket):
    md5 = hashlib.md5(CONTENT).hexdigest()
    sha256 = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    for proof in ({"ETag": f'"{md5}"'}, {"etag": md5.upper()}, {"ETag": f'W/"{md5}"'}):
        scripted.answer = lambda *_, proof=proof: answer(200, **proof)
        bucket.send(NAME, CONTENT)
    scripted.answer = lambda *asked: b"HTTP/1.1 100 Continue\r\n\r\n" + accepted(*asked)
    bucket.send(NAME, CONTENT)
    scripted.answer = lambda *_: answer(200, ETag='"of KMS"', x_amz_checksum_sha256=sha256)
    Bucket(settings_for(scripted.endpoint, encryption="aws:kms")).send(NAME, CONTENT)
    assert scripted.seen[-1][3]["x-amz-checksum-sha256"] == sha256
    assert {method for method, *_ in scripted.seen} == {"PUT"}


def test_what_s3_gives_back_is_proof_too(scripted, bucket):
    stored = CONTENT
    scripted.answer = lambda method, *_: (
        answer(200, ETag='"of KMS"') if method == "PUT" else answer(200, stored)
    )
    bucket.send(NAME, CONTENT)
    stored = CONTENT + b"more"
    with pytest.raises(CaptureError, match="the ETag is of something else"):
        bucket.send(NAME, CONTENT)


UNCONFIRMED = {
    "a login page": (answer(200, PAGE, Content_Type="text/html", Server="hotel\t1"), "hotel 1"),
    "a page of XML": (answer(200, b"<html><p>x</p></html>", Content_Type="text/html"), "text/html"),
    "nothing": (answer(200), "200 (no content type)"),
    "JSON": (answer(200, b'{"ok": true}', Content_Type="application/json"), "application/json"),
    "no content": (answer(204), "204"),
    "half an answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc", "200"),
    "half a header": (b"HTTP/1.1 200 OK\r\nConte", "200"),
}


@pytest.mark.parametrize("what", UNCONFIRMED)
def test_an_answer_without_proof_is_no_confirmation(scripted, bucket, what):
    given, said = UNCONFIRMED[what]
    scripted.answer = lambda *_: given
    with pytest.raises(SendError) as caught:
        bucket.send(NAME, CONTENT)
    text = str(caught.value)
    assert not isinstance(caught.value, CaptureError) and said in text and text.isprintable()
    assert text.endswith(
        "but does not confirm what was sent to bucket captures-of-tests: check S3_ENDPOINT_URL, "
        "or log in to this network"
    )
    assert len(scripted.seen) == 1


@pytest.mark.parametrize("status", [200, 403, 500])
def test_an_answer_without_end_is_left(scripted, bucket, status, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_BODY", 10**5)
    beginning = f"HTTP/1.1 {status} Of tests\r\nContent-Type: text/html\r\n\r\n".encode()
    scripted.answer = lambda *_: itertools.chain([beginning], itertools.repeat(b"<p>" * 10000))
    with pytest.raises(SendError, match=str(status)):
        bucket.send(NAME, CONTENT)


def test_an_answer_letter_by_letter_is_given_up(scripted, monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    scripted.answer = lambda *_: (b"H" for _ in iter(lambda: ended.wait(0.05), True))
    bucket = Bucket(settings_for(scripted.endpoint))
    for _ in range(2):
        with pytest.raises(SendError, match="does not answer to the end in time$"):
            bucket.send(NAME, CONTENT)
    assert len(scripted.seen) == 1
    ended.set()
    monkeypatch.undo()
    scripted.answer = accepted
    until(lambda: not bucket._unanswered.is_alive())
    bucket.send(NAME, CONTENT)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_no_confirmation(scripted, bucket, status):
    scripted.answer = lambda *_: answer(status, PAGE, Location="http://me:word@hotel.test/login")
    with pytest.raises(SendError) as caught:
        bucket.send(NAME, CONTENT)
    assert "word" not in str(caught.value) and len(scripted.seen) == 1
    assert status == 303 or f" to hotel.test ({status}): " in str(caught.value)


ERRORS = {
    (403, "SignatureDoesNotMatch"): (SendError, " rejects the key (SignatureDoesNotMatch): check "),
    (400, "ExpiredToken"): (SendError, " rejects the key, which has expired (ExpiredToken)"),
    (403, "RequestTimeTooSkewed"): (SendError, " rejects the time of this machine ("),
    (403, "AccessDenied"): (SendError, "does not allow this key to write to bucket captures-of"),
    (404, "NoSuchBucket"): (SendError, " has no bucket captures-of-tests: create it, or set S3_B"),
    (301, "PermanentRedirect"): (SendError, "in another region (301 PermanentRedirect): set S3_R"),
    (400, "AuthorizationHeaderMalformed"): (SendError, "the message: check S3_REGION"),
    (400, "AccessControlListNotSupported"): (SendError, "the message: check S3_ACL"),
    (501, "NotImplemented"): (SendError, "answers 501 NotImplemented for bucket captures-of-tests"),
    (400, "InvalidRequest"): (RefusedError, "answers 400 InvalidRequest for bucket captures-of"),
    (400, "EntityTooLarge"): (RefusedError, "answers 400 EntityTooLarge for bucket captures-of"),
    (413, "Odd"): (RefusedError, "answers 413 Odd for bucket captures-of-tests: the message"),
    (503, "SlowDown"): (CaptureError, "answers 503 SlowDown for bucket captures-of-tests: the m"),
    (400, "RequestTimeout"): (CaptureError, "answers 400 RequestTimeout for bucket captures-of"),
}


@pytest.mark.parametrize("status, code", ERRORS)
def test_what_the_server_says_is_passed_on(scripted, bucket, status, code):
    kind, said = ERRORS[status, code]
    scripted.answer = lambda *_: error(status, code, "the message", x_amz_bucket_region="eu-1")
    with pytest.raises(SendError) as caught:
        bucket.send(NAME, CONTENT)
    assert type(caught.value) is kind and said in str(caught.value)
    assert kind is not RefusedError or caught.value.final == (code != "InvalidRequest")


@pytest.mark.parametrize("hours, said", [(2, "120 minutes behind"), (-3, "180 minutes ahead")])
def test_a_wrong_clock_is_told_from_a_wrong_key(scripted, bucket, hours, said):
    date = email.utils.formatdate(time.time() + 3600 * hours + 10, usegmt=True)
    scripted.answer = lambda *_: error(403, "RequestTimeTooSkewed", "The difference", Date=date)
    with pytest.raises(SendError) as caught:
        bucket.send(NAME, CONTENT)
    assert str(caught.value) == (
        f"{scripted.endpoint} rejects the time of this machine (RequestTimeTooSkewed), which is "
        f"{said}: set its clock, the key may be right"
    )


def test_a_header_that_is_not_implemented_names_the_remedy(scripted, bucket):
    said = "Header x-amz-server-side-encryption with value AES256 not implemented"
    scripted.answer = lambda *_: error(501, "NotImplemented", said)
    with pytest.raises(SendError) as caught:
        bucket.send(NAME, CONTENT)
    assert str(caught.value).endswith(
        f"{said}: S3_ENCRYPTION=none lets the server decide about encryption"
    )


def test_no_answer_shows_a_secret(scripted, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "tokentoken")
    said = "http://me:word@host is not secretkey or tokentoken\x1b[2J" + "x" * 1000
    scripted.answer = lambda *_: error(400, "InvalidRequest", said.replace("\x1b", "&#65533;"))
    with pytest.raises(RefusedError) as caught:
        Bucket(settings_for(scripted.endpoint, secret="secretkey")).send(NAME, CONTENT)
    text = str(caught.value)
    assert "http://host is not *** or ***" in text and len(text) < 600


@pytest.mark.parametrize(
    "given", [b"", b"\0\xff\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
def test_no_answer_at_all_is_one_line(scripted, bucket, given):
    scripted.answer = lambda *_: given
    with pytest.raises(SendError, match=f"^{scripted.endpoint} cannot be reached .Connection"):
        bucket.send(NAME, CONTENT)


SET_UP = {
    "AWS_PROFILE": ("nobody", "check AWS_PROFILE"),
    "AWS_RETRY_MODE": ("odd", "check AWS_RETRY_MODE"),
    "AWS_CONFIG_FILE": ("this", "check AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE"),
    "AWS_CA_BUNDLE": ("none.pem", "S3 cannot be used: AWS_CA_BUNDLE=none.pem does not exist"),
    "HTTPS_PROXY": ("http://me:word@:x", "HTTPS_PROXY"),
}


@pytest.mark.parametrize("name", SET_UP)
def test_a_setting_of_boto3_that_is_wrong_is_named(name, monkeypatch, tmp_path):
    value, said = SET_UP[name]
    (tmp_path / "this").write_text("no configuration")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with pytest.raises(SendError) as caught:
        Bucket(settings_for("https://127.0.0.1:9")).send(NAME, CONTENT)
    text = str(caught.value)
    assert said in text and text.isprintable() and "word" not in text


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_address_of_boto3s_own_settings_is_known(monkeypatch, name):
    monkeypatch.setenv(name, "http://user:pass@far:9000")
    settings = Bucket(settings_for(None)).settings
    assert settings.endpoint == "http://far:9000" and settings.readable_on_the_way
    monkeypatch.delenv(name)
    assert Bucket(settings_for(None)).settings.endpoint is None


def test_open_network_is_warned_of_once(capsys):
    for endpoint in ("https://far", "http://localhost:9", "http://127.1.2.3", "http://[::1]:9"):
        warn_of_open_network(settings_for(endpoint))
    assert capsys.readouterr().err == ""
    for _ in range(2):
        warn_of_open_network(settings_for("http://far:9000"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: http://far:9000: faces and embeddings are ")
