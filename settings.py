"""The settings of a deployment, read from environment variables.

| variable | meaning | default |
|---|---|---|
| S3_BUCKET | bucket that captures are sent to | nothing is sent |
| S3_PREFIX | prefix of the keys of the objects | captures/ |
| S3_ENDPOINT_URL | address of an S3-compatible server | Amazon S3 |
| S3_REGION | region of the bucket | from boto3's configuration |
| S3_ACL | canned ACL of the objects, such as public-read | private |
| S3_ENCRYPTION | server-side encryption: AES256, aws:kms or none | AES256 |
| AWS_SERVER_PUBLIC_KEY, AWS_SERVER_SECRET_KEY | key ID and secret key | boto3's credentials |
| CAPTURES_OUTBOX | folder of the queued captures | outbox, see `outbox` |
"""

import dataclasses
import ipaddress
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from age_gender import installation
from age_gender.command_line import UserError, log

ENCRYPTIONS = ("AES256", "aws:kms", "none")
QUOTES = ("'", '"')
LONGEST_KEY = 1024  # bytes of an object's key; the name of a capture takes 40 of them
SECRET = {"AWS_SERVER_PUBLIC_KEY", "AWS_SERVER_SECRET_KEY"}  # never shown


@dataclasses.dataclass(frozen=True)
class S3:
    """Where and how captures are sent.

    Attributes:
        bucket: None if nothing is sent.
        encryption: None for none.
        key, secret: None for boto3's own credentials.
    """

    bucket: str | None
    prefix: str
    endpoint: str | None
    region: str | None
    acl: str | None
    encryption: str | None
    key: str | None = dataclasses.field(repr=False)
    secret: str | None = dataclasses.field(repr=False)

    def address(self, name):
        """The address of the object for a file of the outbox."""
        return f"s3://{self.bucket}/{self.prefix}{name}"

    @property
    def readable_on_the_way(self):
        """Whether what is sent crosses a network without encryption."""
        address = urlsplit(self.endpoint or "")
        return address.scheme == "http" and not _is_this_machine(address.hostname)


def _is_this_machine(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def s3():
    """The `S3` settings. Raises `UserError` if one is malformed, or they contradict each other."""
    key, secret = (_get(f"AWS_SERVER_{name}_KEY", r"\S+") for name in ("PUBLIC", "SECRET"))
    if (key is None) != (secret is None):
        raise UserError("set AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY both, or neither")
    encryption = _get("S3_ENCRYPTION") or "AES256"
    if encryption not in ENCRYPTIONS:
        raise UserError(f"S3_ENCRYPTION={encryption}: use {', '.join(ENCRYPTIONS)}")
    return S3(
        bucket=_get(
            "S3_BUCKET",
            r"arn:\S+|[a-zA-Z0-9._-]{1,255}",
            "give the name alone: letters, digits, dots and hyphens (a folder goes to S3_PREFIX)",
        ),
        prefix=_prefix(),
        endpoint=_endpoint(),
        region=_get("S3_REGION", r"[a-zA-Z0-9-]{1,63}", "give a name such as eu-central-1"),
        acl=_get("S3_ACL", r"[a-z-]+", "give a canned ACL such as public-read"),
        encryption=None if encryption == "none" else encryption,
        key=key,
        secret=secret,
    )


def _prefix():
    prefix = _get("S3_PREFIX") or ("" if "S3_PREFIX" in os.environ else "captures/")
    if {".", ".."} & set(prefix.split("/")):
        raise UserError(f"S3_PREFIX={prefix}: leave out the parts . and ..")
    if len(prefix.encode()) > LONGEST_KEY - 40:
        raise UserError(f"S3_PREFIX has {len(prefix.encode())} bytes: S3 takes {LONGEST_KEY - 40}")
    return prefix


def _endpoint():
    """The address of the server without user and password, which S3 does not use."""
    found = _get("S3_ENDPOINT_URL", r"\S+", "it holds a blank")
    if found is None:
        return None
    shown = _without_user(found)
    if not found.lower().startswith(("http://", "https://")):
        raise UserError(f"S3_ENDPOINT_URL={shown}: it must begin with http:// or https://")
    try:
        address = urlsplit(found)
        valid = address.hostname and address.port != 0 and not (address.query or address.fragment)
        valid = valid and re.fullmatch(r"[\w.:%-]+", address.hostname)
    except ValueError:  # a port that is no number or too large, brackets that do not match
        valid = False
    if not valid:
        raise UserError(f"S3_ENDPOINT_URL={shown}: give it as https://host or https://host:port")
    if "@" in address.netloc:
        log(
            "warning: S3_ENDPOINT_URL: its user and password are not used: the key is in "
            "AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY"
        )
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def _without_user(value):
    """A setting without what stands before an @: the user and the password of an address."""
    return re.sub(r"(\w+://)?.*@", r"\1", value)


def outbox():
    """Folder of the captures that are queued to be sent.

    The default is ``outbox`` in the checkout, or in the current folder of an installed program.
    """
    found = os.environ.get("CAPTURES_OUTBOX", "").strip()
    _refuse_quotes("CAPTURES_OUTBOX", found)
    return Path(os.path.expanduser(found)) if found else installation.folder() / "outbox"


def _get(name, pattern=None, otherwise="it holds a blank"):
    """The value of a variable, None where it is empty.

    Raises `UserError`, with the variable's name, where it cannot be what was meant.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        return None
    shown = name if name in SECRET else f"{name}={_without_user(value)}"
    if not value.isprintable():
        raise UserError(f"{name}: it holds a line end or another character that cannot be printed")
    _refuse_quotes(name, value)
    if pattern and not re.fullmatch(pattern, value):
        raise UserError(f"{shown}: {otherwise}")
    return value


def _refuse_quotes(name, value):
    """Raise `UserError` for quotation marks, which a shell takes away and other readers do not."""
    if value.startswith(QUOTES) or value.endswith(QUOTES):
        raise UserError(f"{name}: leave out the quotation marks around the value")
