import errno
import json
import os
import threading
import time

import numpy as np
import pytest

import settings
from age_gender.captures import sender as captures
from age_gender.command_line import UserError
from age_gender.estimates import Estimate
from age_gender.faces import Face
from age_gender.frames import Frame
from age_gender.live.analyst import Analysis, Seen
from helpers import until
from helpers.s3 import BUCKET, KEY, SECRET


def settings_for(endpoint=None, **changes):
    said = {
        "bucket": BUCKET,
        "prefix": "captures/",
        "endpoint": endpoint,
        "region": None,
        "acl": None,
        "encryption": "AES256",
        "key": KEY,
        "secret": SECRET,
        **changes,
    }
    return settings.S3(**said)


@pytest.fixture
def outbox(tmp_path):
    return captures.Outbox(tmp_path / "outbox")


@pytest.fixture
def fast(monkeypatch):
    """Pauses and limits that tests can wait for."""
    monkeypatch.setattr(captures, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(captures, "LAST_PAUSE", 0.2)
    monkeypatch.setattr(captures, "SECONDS", 1)


def analysis(faces=2, embedding=None):
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    seen = [
        Seen(number + 4, Face(-5 + 60 * number, 10, 50, 50, 1.25), estimate, estimate, embedding)
        for number, estimate in enumerate([Estimate(33.333, 0.25), Estimate(61.0, 0.75)][:faces])
    ]
    return Analysis(Frame("camera 0", image, 7, 1790000000.5), seen)


def test_records_follow_the_contract():
    first, second = captures.records_of(analysis(), 1790000000500)
    assert first == {
        "key": 179000000050001,
        "datetime": "2026-09-21T14:13:20.500+00:00",
        "frame_id": 1790000000500,
        "frame_face_id": 1,
        "predicted_ages": 33.3,
        "predicted_genders": "F",
        "gender_probability": 0.75,
        "identity": 4,
        "left": 0,
        "top": 10,
        "width": 45,
        "height": 50,
        "score": 1.25,
        "source": "camera 0",
        "frame": 7,
        "has_face": False,
        "has_embedding": False,
    }
    assert second["key"] == 179000000050002 and second["predicted_genders"] == "M"
    assert second["frame_face_id"] == 2


def test_pictures_embeddings_and_consent_are_there_only_when_asked_for():
    embedding = [0.5] * 128
    (record,) = captures.records_of(analysis(1, embedding), 5, True, "2026-01-01T00:00:00+00:00")
    assert record["has_face"] and record["has_embedding"]
    assert record["embedding"] == embedding and record["consent"] == "2026-01-01T00:00:00+00:00"
    import base64

    from age_gender.frames import decode_picture

    assert decode_picture(base64.b64decode(record["face_jpeg"])).shape == (50, 45, 3)
    printed = json.loads(captures.lines_of(captures.numbers_of([record])))
    assert "face_jpeg" not in printed and "embedding" not in printed and printed["has_face"]


def test_frame_ids_never_repeat(outbox):
    ids = [outbox.frame_id() for _ in range(1000)]
    assert len(set(ids)) == 1000 and ids == sorted(ids)


def test_outbox_keeps_whole_files_in_order(outbox):
    for number in range(5):
        outbox.add(100 + number, [{"key": number}, {"key": 9}])
    assert [json.loads(path.read_text().splitlines()[0])["key"] for path in outbox.waiting()] == [
        *range(5)
    ]
    (outbox.folder / "99-dead.jsonl.part").write_text("{")
    old = time.time() - 100
    os.utime(outbox.folder / "99-dead.jsonl.part", (old, old))
    assert len(outbox.waiting()) == 5
    outbox.clean()
    assert len(list(outbox.folder.iterdir())) == 5


def test_prune_deletes_what_is_older(outbox):
    paths = [outbox.add(number, [{}]) for number in range(3)]
    old = time.time() - 2 * captures.DAY
    os.utime(paths[0], (old, old))
    assert outbox.prune(3) == 0 and outbox.prune(1.5) == 1
    assert outbox.waiting() == paths[1:]


def test_full_disk_is_not_saved_and_leaves_nothing(small_disk, capsys):
    outbox = captures.Outbox(small_disk[0] / "outbox")
    made = captures.Captures(outbox, settings_for(bucket=None))
    for number in range(40):
        made.take([{"key": number, "text": "x" * 3000}], number)
    made.close(None)
    outcomes = [made.outcomes.get_nowait() for _ in range(40)]
    kept = [json.loads(path.read_text())["key"] for path in outbox.waiting()]
    assert sorted(kept) == [n for n, outcome in enumerate(outcomes) if outcome.saved]
    assert 5 < len(kept) < 40 and not list(outbox.folder.glob("*.part"))
    assert outcomes[-1].text == f"NOT SAVED: {os.strerror(errno.ENOSPC)}"
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == len(kept)
    assert f"not saved: {outbox.folder}: No space left on device" in err


def test_object_is_private_encrypted_and_typed(s3, proxy, outbox):
    path = outbox.add(17, [{"key": 1701}])
    content = path.read_bytes()
    captures.Bucket(settings_for(proxy.endpoint)).send(path)
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
    captures.Bucket(open_to_all).send(path)
    assert proxy.seen[-1]["x-amz-acl"] == "public-read"
    assert "x-amz-server-side-encryption" not in proxy.seen[-1]
    assert path.name in s3.objects()


def take_and_send(made, proxy, numbers):
    """Take captures, until all are kept and the server has been asked to store one."""
    asked = len(proxy.seen)
    kept = made.outcomes.qsize() + len(numbers)
    for number in numbers:
        made.take([{"key": number * 100 + 1}], number)
    until(lambda: made.outcomes.qsize() == kept)
    until(lambda: len(proxy.seen) > asked)


@pytest.mark.long
def test_nothing_is_lost_and_nothing_twice_whatever_the_server_does(
    s3,
    proxy,
    outbox,
    fast,
    capsys,
):
    made = captures.Captures(outbox, settings_for(proxy.endpoint))
    faults = [None, "500", "hang", "drop", None, "killed", None, "drop", "500", None]
    for place, fault in enumerate(faults):
        proxy.fault = None if fault == "killed" else fault
        if fault == "killed":
            s3.kill()
        take_and_send(made, proxy, range(10 * place, 10 * place + 10))
        assert fault is None or outbox.waiting()
        proxy.released.set()
        proxy.released = threading.Event()
        if fault == "killed":
            s3.start()
    until(lambda: not outbox.waiting())
    made.close()
    assert all(made.outcomes.get().saved for _ in range(100))
    stored = [json.loads(content)["key"] for content in s3.objects().values()]
    assert sorted(stored) == [number * 100 + 1 for number in range(100)]
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 100
    assert "answers 500" in err and "cannot be reached" in err
    assert "S3 takes captures again" in err


def test_wrong_key_is_said_once_in_plain_words(s3, proxy, outbox, fast, capsys):
    for wrong in ({"key": "nobody"}, {"secret": "wrong"}):
        made = captures.Captures(outbox, settings_for(proxy.endpoint, **wrong))
        for number in range(3):
            take_and_send(made, proxy, [number])
        assert made.close() >= 3
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1, err
        assert err.startswith(f"{proxy.endpoint} refuses the key (")
        assert f"check AWS_SERVER_PUBLIC_KEY and AWS_SERVER_SECRET_KEY; captures wait in {outbox}"[
            :60
        ] in err.replace(str(outbox.folder), str(outbox))
    assert s3.objects() == {}


def test_flush_sends_all_and_says_why_not(s3, outbox, monkeypatch, capsys):
    def flush(said, **options):
        return captures.flush(outbox, said, lambda items, count: items, **options)

    monkeypatch.setattr(captures.time, "sleep", lambda seconds: None)
    assert flush(settings_for(bucket=None)) == 0
    paths = [outbox.add(number, [{"key": number, "embedding": [1]}]) for number in range(3)]
    with pytest.raises(UserError, match="no bucket is set: S3_BUCKET=NAME sends the 3 captures"):
        flush(settings_for(bucket=None))
    assert flush(settings_for(s3.endpoint), dry_run=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"s3://{BUCKET}/captures/{paths[0].name}  {paths[0].stat().st_size} bytes"
    assert lines[1] == '{"key": 0}' and len(outbox.waiting()) == 3 and s3.objects() == {}
    with pytest.raises(UserError, match="cannot be reached .*; 0 sent, 3 wait in "):
        flush(settings_for("http://127.0.0.1:9"))
    assert flush(settings_for(s3.endpoint)) == 3
    assert outbox.waiting() == [] and len(s3.objects()) == 3


def test_without_a_bucket_captures_stay(outbox, capsys):
    made = captures.Captures(outbox, settings_for(bucket=None), make_bucket=None)
    made.take([{"key": 1}], 1)
    assert made.close(None) == 1
    assert capsys.readouterr().out == '{"key": 1}\n'
