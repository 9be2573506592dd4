from age_gender.captures.bucket import Bucket
from age_gender.captures.outbox import Outbox
from helpers.s3 import BUCKET, settings_for


def test_object_is_private_encrypted_and_typed(s3, proxy, tmp_path):
    outbox = Outbox(tmp_path / "outbox")
    path = outbox.add(17, [{"key": 1701}])
    content = path.read_bytes()
    Bucket(settings_for(proxy.endpoint)).send(path)
    assert not path.exists()
    assert s3.objects() == {f"captures/{path.name}": content}
    (headers,) = proxy.seen
    assert headers["x-amz-server-side-encryption"] == "AES256"
    assert headers["Content-Type"] == "application/x-ndjson"
    assert "x-amz-acl" not in headers and "Content-MD5" in headers
    head = s3.client.head_object(Bucket=BUCKET, Key=f"captures/{path.name}")
    assert head["ServerSideEncryption"] == "AES256"
    path = outbox.add(18, [{"key": 1801}])
    open_to_all = settings_for(proxy.endpoint, acl="public-read", encryption=None, prefix="")
    Bucket(open_to_all).send(path)
    assert proxy.seen[-1]["x-amz-acl"] == "public-read"
    assert "x-amz-server-side-encryption" not in proxy.seen[-1]
    assert path.name in s3.objects()
