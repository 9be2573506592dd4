from pathlib import Path

import pytest

import settings
from age_gender.command_line import UserError
from helpers import ROOT

NAMES = [f"S3_{name}" for name in ("BUCKET", "PREFIX", "ENDPOINT_URL", "REGION", "ACL")]
NAMES += ["S3_ENCRYPTION", "AWS_SERVER_PUBLIC_KEY", "AWS_SERVER_SECRET_KEY", "CAPTURES_OUTBOX"]
KEYS = ("AWS_SERVER_PUBLIC_KEY", "AWS_SERVER_SECRET_KEY")


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_defaults_send_nothing_and_are_private_and_encrypted():
    found = settings.s3()
    assert found == settings.S3(None, "captures/", None, None, None, "AES256", None, None)
    assert settings.outbox() == ROOT / "outbox"


def test_everything_is_read_from_the_environment(monkeypatch):
    for name, value in {
        "S3_BUCKET": "my.Bucket_1",
        "S3_PREFIX": "my folder/",
        "S3_ENDPOINT_URL": "http://mine:9000",
        "S3_REGION": "eu-central-1",
        "S3_ACL": "public-read",
        "S3_ENCRYPTION": "aws:kms",
        "AWS_SERVER_PUBLIC_KEY": "public",
        "AWS_SERVER_SECRET_KEY": "se+cr/et",
        "CAPTURES_OUTBOX": "my outbox",
    }.items():
        monkeypatch.setenv(name, f" {value}\n")  # blanks and line ends are slips of copying
    assert settings.s3() == settings.S3(
        *("my.Bucket_1", "my folder/", "http://mine:9000", "eu-central-1", "public-read"),
        *("aws:kms", "public", "se+cr/et"),
    )
    assert "public" not in repr(settings.s3()).replace("public-read", "")
    assert settings.outbox() == Path("my outbox")
    monkeypatch.setenv("CAPTURES_OUTBOX", "~/outbox")
    assert settings.outbox() == Path.home() / "outbox"
    monkeypatch.setenv("S3_ENCRYPTION", "none")
    monkeypatch.setenv("S3_PREFIX", "")
    assert settings.s3().encryption is None and settings.s3().prefix == ""


def test_every_setting_is_explained():
    assert all(name in settings.__doc__ for name in NAMES)


MISTAKES = {
    (
        "S3_ENDPOINT_URL",
        "localhost:9000",
    ): "=localhost:9000: it must begin with http:// or https://",
    ("S3_ENDPOINT_URL", "ftp://host"): "=ftp://host: it must begin with http:// or https://",
    ("S3_ENDPOINT_URL", "https://"): "=https://: give it as https://host or https://host:port",
    ("S3_ENDPOINT_URL", "http://host:port"): "=http://host:port: give it as https://host or ",
    ("S3_ENDPOINT_URL", "http://host:0"): "=http://host:0: give it as https://host or https://h",
    ("S3_ENDPOINT_URL", "http://host:70000"): "=http://host:70000: give it as https://host or ",
    ("S3_ENDPOINT_URL", "http://[::1"): "=http://[::1: give it as https://host or https://host:",
    ("S3_ENDPOINT_URL", "http://host?x=1"): "=http://host?x=1: give it as https://host or https",
    ("S3_ENDPOINT_URL", "http://my host"): "=http://my host: it holds a blank",
    ("S3_ENDPOINT_URL", "http://a\nhttp://b"): ": it holds a line end or another character that",
    ("S3_ENDPOINT_URL", "'http://host'"): ": leave out the quotation marks around the value",
    ("S3_ENDPOINT_URL", "http://me:word@h:x"): "=http://h:x: give it as https://host or https://",
    (
        "S3_BUCKET",
        "my bucket",
    ): "=my bucket: give the name alone: letters, digits, dots and hyphens",
    ("S3_BUCKET", "s3://bucket"): "=s3://bucket: give the name alone: letters, digits, dots and hy",
    (
        "S3_BUCKET",
        "bucket/folder",
    ): "=bucket/folder: give the name alone: letters, digits, dots and",
    ("S3_BUCKET", '"bucket"'): ": leave out the quotation marks around the value",
    ("S3_BUCKET", "bücket"): "=bücket: give the name alone: letters, digits, dots and hyphens (a ",
    (
        "S3_BUCKET",
        "bucket\udcff",
    ): ": it holds a line end or another character that cannot be print",
    ("S3_PREFIX", "a/../b/"): "=a/../b/: leave out the parts . and ..",
    ("S3_PREFIX", "é" * 600): " has 1200 bytes: S3 takes 984",
    ("S3_PREFIX", "a\tb"): ": it holds a line end or another character that cannot be printed",
    ("S3_REGION", "eu central"): "=eu central: give a name such as eu-central-1",
    ("S3_REGION", "Frankfurt/eu"): "=Frankfurt/eu: give a name such as eu-central-1",
    ("S3_ACL", "Public read"): "=Public read: give a canned ACL such as public-read",
    ("S3_ENCRYPTION", "aes"): "=aes: use AES256, aws:kms, none",
    ("CAPTURES_OUTBOX", '"outbox"'): ": leave out the quotation marks around the value",
}


@pytest.mark.parametrize("name, value", MISTAKES)
def test_a_malformed_setting_is_one_line_with_its_name(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as caught:
        settings.s3()
        settings.outbox()
    text = str(caught.value)
    assert text.startswith(name + MISTAKES[name, value]) and "\n" not in text
    assert "word" not in text


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("value", ["two words", "per\nsist", "'quoted'"])
def test_a_malformed_key_is_not_shown(monkeypatch, name, value):
    for each in KEYS:
        monkeypatch.setenv(each, "key")
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"^{name}: ") as caught:
        settings.s3()
    assert not set(value.strip("'").split()) & set(str(caught.value).split())


@pytest.mark.parametrize("name", KEYS)
def test_one_key_needs_the_other(monkeypatch, name):
    monkeypatch.setenv(name, "key")
    with pytest.raises(UserError, match="set AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY both"):
        settings.s3()


def test_a_password_in_the_endpoint_is_left_out_with_a_warning(monkeypatch, capsys):
    monkeypatch.setenv("S3_ENDPOINT_URL", "https://me:word@host:9000/path")
    assert settings.s3().endpoint == "https://host:9000/path"
    err = capsys.readouterr().err
    assert err.startswith("warning: S3_ENDPOINT_URL: its user and password are not used: ")
    assert "word@" not in err and "me:" not in err
