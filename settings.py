"""Every setting of a deployment, read from the environment; nothing of it is in the repository.

| variable | meaning | without it |
|---|---|---|
| S3_BUCKET | bucket that captures are sent to | nothing is sent |
| S3_PREFIX | what the keys of objects begin with | captures/ |
| S3_ENDPOINT_URL | address of a server that speaks S3 | Amazon's |
| S3_REGION | region of the bucket | what boto3 finds |
| S3_ACL | canned ACL of the objects, as public-read | none: private |
| S3_ENCRYPTION | AES256, aws:kms, or none | AES256 |
| AWS_SERVER_PUBLIC_KEY, AWS_SERVER_SECRET_KEY | the key and its secret | what boto3 finds |
| CAPTURES_OUTBOX | folder where captures wait | outbox, see `outbox` |
"""

import dataclasses
import os
from pathlib import Path

from age_gender import installation
from age_gender.command_line import UserError

ENCRYPTIONS = ("AES256", "aws:kms", "none")


@dataclasses.dataclass(frozen=True)
class S3:
    """Where captures are sent and how.

    Attributes:
        bucket: None where nothing is to be sent.
        encryption: None for none.
        key, secret: None for boto3's usual chain.
    """

    bucket: str | None
    prefix: str
    endpoint: str | None
    region: str | None
    acl: str | None
    encryption: str | None
    key: str | None = dataclasses.field(repr=False)
    secret: str | None = dataclasses.field(repr=False)


def s3():
    """The `S3` settings. Raises `UserError` where they contradict each other."""
    key, secret = (_get(f"AWS_SERVER_{name}_KEY") for name in ("PUBLIC", "SECRET"))
    if (key is None) != (secret is None):
        raise UserError("set AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY both, or neither")
    encryption = _get("S3_ENCRYPTION") or "AES256"
    if encryption not in ENCRYPTIONS:
        raise UserError(f"S3_ENCRYPTION={encryption}: use {', '.join(ENCRYPTIONS)}")
    return S3(
        bucket=_get("S3_BUCKET"),
        prefix=os.environ.get("S3_PREFIX", "captures/"),
        endpoint=_get("S3_ENDPOINT_URL"),
        region=_get("S3_REGION"),
        acl=_get("S3_ACL"),
        encryption=None if encryption == "none" else encryption,
        key=key,
        secret=secret,
    )


def outbox():
    """Folder where captures wait until they are sent.

    Without a setting it is ``outbox``, in the checkout, or where the program is installed in the
    current folder.
    """
    return Path(_get("CAPTURES_OUTBOX") or installation.folder() / "outbox")


def _get(name):
    return os.environ.get(name) or None
