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
import os
from pathlib import Path

from age_gender import installation
from age_gender.command_line import UserError

ENCRYPTIONS = ("AES256", "aws:kms", "none")


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


def s3():
    """The `S3` settings. Raises `UserError` if they contradict each other."""
    key, secret = (_get(f"AWS_SERVER_{name}_KEY") for name in ("PUBLIC", "SECRET"))
    if (key is None) != (secret is None):
        raise UserError("set AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY both, or neither")
    encryption = _get("S3_ENCRYPTION") or "AES256"
    if encryption not in ENCRYPTIONS:
        raise UserError(f"S3_ENCRYPTION={encryption}: use {', '.join(ENCRYPTIONS)}")
    endpoint = _get("S3_ENDPOINT_URL")
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise UserError(f"S3_ENDPOINT_URL={endpoint}: it must begin with http:// or https://")
    return S3(
        bucket=_get("S3_BUCKET"),
        prefix=os.environ.get("S3_PREFIX", "captures/").strip(),
        endpoint=endpoint,
        region=_get("S3_REGION"),
        acl=_get("S3_ACL"),
        encryption=None if encryption == "none" else encryption,
        key=key,
        secret=secret,
    )


def outbox():
    """Folder of the captures that are queued to be sent.

    The default is ``outbox`` in the checkout, or in the current folder of an installed program.
    """
    return Path(_get("CAPTURES_OUTBOX") or installation.folder() / "outbox")


def _get(name):
    return os.environ.get(name, "").strip() or None
