"""The S3 bucket that captures are sent to, and its errors in plain words."""

import base64
import hashlib
import os

CONTENT_TYPE = "application/x-ndjson"
TIMEOUT = 10  # seconds that S3 has to answer


class SendError(Exception):
    """No capture can be sent at present; the message says why."""


class CaptureError(SendError):
    """One capture was not accepted; others may be."""


def _aws_settings():
    """Names of the environment's settings for boto3, and of its files."""
    names = sorted(name for name in os.environ if name.startswith("AWS_") and "KEY" not in name)
    return ", ".join([*names, "the files in ~/.aws"])


class Bucket:
    """The bucket.

    Args:
        settings: `settings.S3` with a bucket.

    Raises `SendError` if boto3 cannot be set up.
    """

    def __init__(self, settings):
        import boto3  # slow to import, and needed only if captures are sent
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        self.settings = settings
        keys = {}
        if settings.key is not None:
            keys = {"aws_access_key_id": settings.key, "aws_secret_access_key": settings.secret}
        config = Config(
            connect_timeout=TIMEOUT,
            read_timeout=TIMEOUT,
            retries={"total_max_attempts": 1},  # the outbox keeps what failed
            request_checksum_calculation="when_required",
        )
        region = settings.region or (settings.endpoint and "us-east-1")
        try:
            self._client = boto3.session.Session().client(
                "s3", endpoint_url=settings.endpoint, region_name=region, config=config, **keys
            )
        except (BotoCoreError, ValueError) as error:
            raise SendError(
                f"S3 cannot be used: {' '.join(str(error).split()).rstrip('.')}: check S3_REGION, "
                f"S3_ENDPOINT_URL and what is set for AWS ({_aws_settings()})"
            ) from error

    def send(self, path):
        """Send the file of a capture and delete it when S3 has confirmed it.

        Raises `SendError`.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # see __init__

        try:
            content = path.read_bytes()
        except FileNotFoundError:  # sent by another process
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
            raise self._explained(error) from error
        path.unlink(missing_ok=True)

    def _explained(self, error):
        """The `SendError` of an error of boto3: the reason and the remedy in one line."""
        from botocore import exceptions  # see __init__

        server = self.settings.endpoint or "Amazon S3"
        bucket = f"bucket {self.settings.bucket}"
        if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
            return SendError("no key for S3: set AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY")
        if isinstance(error, exceptions.ParamValidationError):
            return SendError(f"{bucket}: the name, the prefix or another setting is not valid")
        if isinstance(error, exceptions.ClientError):
            code = error.response.get("Error", {}).get("Code", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"):
                return SendError(
                    f"{server} rejects the key ({code}): check AWS_SERVER_PUBLIC_KEY and "
                    "AWS_SERVER_SECRET_KEY"
                )
            if code == "NoSuchBucket":
                return SendError(f"{server} has no {bucket}: create it, or set S3_BUCKET")
            if status == 403:
                return SendError(f"{server} does not allow this key to write to {bucket} ({code})")
            reason = status if code == str(status) else f"{status} {code}"
            return CaptureError(f"{server} answers {reason} for {bucket}")
        if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
            return SendError(f"{server} cannot be reached ({type(error).__name__})")
        return SendError(f"{server}: {' '.join(str(error).split())}")
