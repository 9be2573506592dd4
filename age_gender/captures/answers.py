"""What S3 and boto3 answer, in plain words: the reason and the remedy in one line."""

import email.utils
import os
import re
import time
from urllib.parse import urlsplit

LONGEST = 300  # characters of what others say that are shown
SHORTEST_SECRET = 5  # characters; shorter ones would be found in other words
KEY_SETTINGS = "AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY"
BAD_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure")
OLD_KEY = ("ExpiredToken", "TokenRefreshRequired")
BAD_CLOCK = ("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture")
ELSEWHERE = ("PermanentRedirect", "TemporaryRedirect", "Redirect")
TOO_LARGE = ("EntityTooLarge", "MaxMessageLengthExceeded")
OF_THE_MOMENT = (408, 409, 425, 429)  # as 5xx: it may be accepted later
OF_ALL = (501, 511)  # not implemented; a network that wants a login
SETTING_OF = {  # the setting that a code of S3 or an exception of boto3 is about
    "AccessControlListNotSupported": "S3_ACL",
    "AuthorizationHeaderMalformed": "S3_REGION",
    "InvalidBucketName": "S3_BUCKET",
    "InvalidEncryptionAlgorithmError": "S3_ENCRYPTION",
    "IllegalLocationConstraintException": "S3_REGION",
    "ConfigParseError": "AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE",
    "InvalidRegionError": "S3_REGION or AWS_DEFAULT_REGION",
    "InvalidRetryModeError": "AWS_RETRY_MODE",
    "ProfileNotFound": "AWS_PROFILE",
}


class SendError(Exception):
    """No capture can be sent at present; the message says why."""


class CaptureError(SendError):
    """One capture was not accepted; others may be."""


class RefusedError(CaptureError):
    """One capture was refused as it is.

    Attributes:
        final: it will be refused for ever, whatever happens to others.
    """

    def __init__(self, text, final=False):
        super().__init__(text)
        self.final = final


def one_line(text, secrets=()):
    """What others say, as one short line that can be printed, without secrets and passwords."""
    text = " ".join(str(text).split())
    known = [value for name, value in os.environ.items() if re.match(r"AWS_.*(KEY|TOKEN)", name)]
    for secret in filter(None, [*secrets, *known]):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    text = re.sub(r"(\w+://)?\S*@", r"\1", text)  # users and passwords of addresses
    text = "".join(each if each.isprintable() else "?" for each in text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def set_up_failed(error):
    """The `SendError` of boto3 that cannot be set up."""
    kind = type(error).__name__
    names = sorted(name for name in os.environ if name.startswith("AWS_") and "KEY" not in name)
    everything = ", ".join([*names, "the files in ~/.aws"])
    setting = SETTING_OF.get(
        kind, f"S3_REGION, S3_ENDPOINT_URL and what is set for AWS ({everything})"
    )
    return SendError(f"S3 cannot be used: {one_line(error).rstrip('.') or kind}: check {setting}")


def explained(error, settings, first=None):
    """The `SendError` of an error of boto3.

    Args:
        error: the exception.
        settings: `settings.S3`.
        first: status and headers of the server's first answer, or None.
    """
    from botocore import exceptions  # slow to import

    server, bucket = settings.endpoint or "Amazon S3", f"bucket {settings.bucket}"
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return SendError("no key for S3: set AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY")
    answered = isinstance(error, exceptions.ClientError)
    if answered and not str(error.response.get("Error", {}).get("Code", "0")).isdigit():
        return _answer(error.response, settings)  # with a reason of its own
    if first is not None and 200 <= first[0] < 300:
        return unconfirmed(settings, *first)
    if first is not None and 300 <= first[0] < 400:
        return _elsewhere(first[0], "", first[1], settings)
    if answered:
        return _answer(error.response, settings)
    reason = one_line(error, (settings.key, settings.secret)).rstrip(".")
    if isinstance(error, exceptions.ParamValidationError):
        return SendError(
            f"{bucket}: S3_BUCKET, S3_PREFIX or another setting is not valid: {reason}"
        )
    if isinstance(error, exceptions.SSLError):
        return SendError(
            f"{server} has no certificate that is trusted here: AWS_CA_BUNDLE names a file of "
            f"others ({reason})"
        )
    kind = type(error).__name__
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        why = f": {reason}" * (type(error) is exceptions.HTTPClientError)
        proxies = [name for name in os.environ if name.upper() in ("HTTPS_PROXY", "HTTP_PROXY")]
        proxy = f": check {', '.join(sorted(proxies))}" if proxies else ""
        if settings.endpoint is None:
            why += ": check the network and the region"
        return SendError(f"{server} cannot be reached ({kind}){why}{proxy}")
    if kind in SETTING_OF:
        return set_up_failed(error)
    return SendError(f"{server}: {kind}: {reason}")


def _answer(response, settings):
    """The `SendError` of an answer that is an error."""
    error, about = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, headers = str(error.get("Code", "")), about.get("HTTPHeaders", {})
    status = about.get("HTTPStatusCode", 0)
    server, bucket = settings.endpoint or "Amazon S3", f"bucket {settings.bucket}"
    if code in BAD_KEY:
        return SendError(f"{server} rejects the key ({code}): check {KEY_SETTINGS}")
    if code in OLD_KEY:
        return SendError(f"{server} rejects the key, which has expired ({code}): renew it")
    if code in BAD_CLOCK:
        return SendError(
            f"{server} rejects the time of this machine ({code}){_difference(headers)}: set its "
            "clock, the key may be right"
        )
    if code == "NoSuchBucket":
        return SendError(f"{server} has no {bucket}: create it, or set S3_BUCKET")
    reason = str(status) if code == str(status) else f"{status} {one_line(code)}"
    said = one_line(error.get("Message", ""), (settings.key, settings.secret)).rstrip(".")
    said = f": {said}" if said and said.lower() not in ("unknown", code.lower()) else ""
    if status in range(300, 400) or code in ELSEWHERE:
        return _elsewhere(reason, said, headers, settings)
    if status == 403:
        return SendError(f"{server} does not allow this key to write to {bucket} ({code}){said}")
    text = f"{server} answers {reason} for {bucket}{said}{_remedy(code, said, settings)}"
    if code in TOO_LARGE or status == 413:
        return RefusedError(text, final=True)
    if code == "RequestTimeout" or status in OF_THE_MOMENT or status >= 500:
        return SendError(text) if status in OF_ALL else CaptureError(text)
    if status in (400, 422) and code not in SETTING_OF:
        return RefusedError(text)
    return SendError(text)


def _difference(headers):
    """How far a server's clock is from the one of this machine, in words, if it says so."""
    try:
        there = email.utils.parsedate_to_datetime(headers.get("date", ""))
        minutes = round((there.timestamp() - time.time()) / 60)
    except (ValueError, TypeError, OverflowError):
        return ""
    return f", which is {abs(minutes)} minutes {'behind' if minutes > 0 else 'ahead'}"


def _remedy(code, said, settings):
    if settings.encryption and (code.startswith("KMS") or "server-side-encryption" in said.lower()):
        return ": S3_ENCRYPTION=none lets the server decide about encryption"
    return f": check {SETTING_OF[code]}" if code in SETTING_OF else ""


def _elsewhere(reason, said, headers, settings):
    """The `SendError` of a server that sends elsewhere."""
    server = settings.endpoint or "Amazon S3"
    region, address = headers.get("x-amz-bucket-region"), headers.get("location")
    if region:
        return SendError(
            f"{server} has bucket {settings.bucket} in another region ({reason}): set "
            f"S3_REGION={one_line(region)}"
        )
    try:
        host = urlsplit(address or "").netloc.rpartition("@")[2]  # the rest may be new each time
    except ValueError:
        host = ""
    where = f" to {one_line(host)}" if host else ""
    return SendError(
        f"{server} sends elsewhere{where} ({reason}){said}: check S3_ENDPOINT_URL and S3_REGION, "
        "or log in to this network"
    )


def unconfirmed(settings, status, headers):
    """The `SendError` of an answer that does not prove that S3 has what was sent."""
    kind = one_line(headers.get("content-type", "no content type"))[:60]
    by = headers.get("server")
    by = f" of {one_line(by)[:60]}" if by else ""
    text = (
        f"{settings.endpoint or 'Amazon S3'} answers {status} ({kind}{by}), but does not confirm "
        f"what was sent to bucket {settings.bucket}"
    )
    if headers.get("etag"):
        return CaptureError(f"{text}: the ETag is of something else")
    return SendError(f"{text}: check S3_ENDPOINT_URL, or log in to this network")
