from pathlib import Path

import pytest

import settings
from age_gender.command_line import UserError
from helpers import ROOT

NAMES = [f"S3_{name}" for name in ("BUCKET", "PREFIX", "ENDPOINT_URL", "REGION", "ACL")]
NAMES += ["S3_ENCRYPTION", "AWS_SERVER_PUBLIC_KEY", "AWS_SERVER_SECRET_KEY", "CAPTURES_OUTBOX"]


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_defaults_send_nothing_and_are_private_and_encrypted():
    found = settings.s3()
    assert found == settings.S3(None, "captures/", None, None, None, "AES256", None, None)
    assert settings.outbox() == ROOT / "outbox"


def test_everything_is_read_from_the_environment(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, f" my {name} ")  # blanks are a slip of copying
    monkeypatch.setenv("S3_ENCRYPTION", "aws:kms")
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://mine:9000 ")
    found = settings.s3()
    assert (found.bucket, found.prefix, found.acl) == ("my S3_BUCKET", "my S3_PREFIX", "my S3_ACL")
    assert (found.endpoint, found.region) == ("http://mine:9000", "my S3_REGION")
    assert found.encryption == "aws:kms"
    assert (found.key, found.secret) == ("my AWS_SERVER_PUBLIC_KEY", "my AWS_SERVER_SECRET_KEY")
    assert "SECRET_KEY" not in repr(found) and "PUBLIC_KEY" not in repr(found)
    assert settings.outbox() == Path("my CAPTURES_OUTBOX")
    monkeypatch.setenv("S3_ENCRYPTION", "none")
    assert settings.s3().encryption is None


def test_every_setting_is_explained():
    assert all(name in settings.__doc__ for name in NAMES)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("AWS_SERVER_PUBLIC_KEY", "a", "set AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY both"),
        (
            "S3_ENDPOINT_URL",
            "mine:9000",
            "S3_ENDPOINT_URL=mine:9000: it must begin with http",
        ),
        ("S3_ENCRYPTION", "rot13", "S3_ENCRYPTION=rot13: use AES256, aws:kms, none"),
    ],
)
def test_contradiction_is_one_line(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message):
        settings.s3()
