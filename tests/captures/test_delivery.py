import json
import os
from types import SimpleNamespace

import pytest

from age_gender.captures import delivery
from age_gender.captures.outbox import Outbox
from age_gender.command_line import UserError
from helpers.s3 import BUCKET, Scripted, accepted, answer, error, settings_for


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox")


@pytest.fixture
def scripted():
    server = Scripted()
    yield server
    server.close()


@pytest.fixture
def flush(outbox, monkeypatch):
    """`delivery.flush` without pauses."""
    monkeypatch.setattr(delivery, "time", SimpleNamespace(sleep=lambda seconds: None))

    def flush(settings, **options):
        return delivery.flush(outbox, settings, lambda items, count: items, **options)

    return flush


def names(server):
    """The names of the objects that a server was asked to take."""
    return [path.rpartition("/")[2] for method, path, *_ in server.seen if method == "PUT"]


def refusing(name, given):
    """How a server answers that refuses one capture."""
    return lambda *asked: given if name in asked[1] else accepted(*asked)


def test_flush_sends_all_and_says_why_not(outbox, flush, scripted, capsys):
    assert flush(settings_for(bucket=None)) == (0, 0)
    paths = [outbox.add(number, [{"key": number, "embedding": [1]}]) for number in range(3)]
    with pytest.raises(UserError, match="no bucket is set: S3_BUCKET=NAME sends the 3 captures"):
        flush(settings_for(bucket=None))
    assert flush(settings_for(scripted.endpoint), dry_run=True) == (0, 0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"s3://{BUCKET}/captures/{paths[0].name}  {paths[0].stat().st_size} bytes"
    assert lines[1] == '{"key": 0}' and len(outbox.queued()) == 3 and scripted.seen == []
    with pytest.raises(UserError, match="cannot be reached .*; 0 sent, 3 captures queued in "):
        flush(settings_for("http://127.0.0.1:9"))
    assert flush(settings_for(scripted.endpoint)) == (3, 0)
    assert outbox.queued() == [] and names(scripted) == [path.name for path in paths]


def test_dry_run_needs_no_bucket_and_names_what_is_damaged(outbox, flush, capsys):
    paths = [outbox.add(number, [{"key": number}]) for number in range(3)]
    paths[1].write_bytes(b'{"key": 1')
    assert flush(settings_for(bucket=None), dry_run=True) == (0, 1)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        *(f"{paths[0].name}  11 bytes", '{"key": 0}'),
        *(f"{paths[2].name}  11 bytes", '{"key": 2}'),
    ]
    assert err == f"{paths[1].name}: this is no capture: line 1 is not JSON\n"
    assert outbox.queued() == paths


def test_a_login_page_takes_no_capture(outbox, flush, scripted):
    paths = [outbox.add(number, [{"key": number}]) for number in range(3)]
    scripted.answer = lambda *_: answer(200, b"<p>log in<br>", Content_Type="text/html")
    with pytest.raises(UserError) as caught:
        flush(settings_for(scripted.endpoint))
    assert str(caught.value).startswith(
        f"{scripted.endpoint} answers 200 (text/html), but does not"
    )
    assert str(caught.value).endswith(f"; 0 sent, 3 captures queued in {outbox.folder}")
    assert outbox.queued() == paths


@pytest.mark.parametrize("code", ["InvalidRequest", "EntityTooLarge", "MalformedXML"])
def test_one_that_is_refused_is_put_aside_and_the_rest_goes_on(outbox, flush, scripted, code):
    paths = [outbox.add(number, [{"key": number}]) for number in range(4)]
    scripted.answer = refusing(paths[1].name, error(400, code, "the message"))
    assert flush(settings_for(scripted.endpoint)) == (3, 1)
    assert outbox.queued() == []
    assert (outbox.refused / paths[1].name).read_text() == '{"key": 1}\n'
    reason = (outbox.refused / paths[1].name).with_suffix(".txt").read_text()
    assert reason.endswith(f"answers 400 {code} for bucket {BUCKET}: the message\n")


def test_what_concerns_all_puts_none_aside(outbox, flush, scripted):
    paths = [outbox.add(number, [{"key": number}]) for number in range(2)]
    for given in (error(400, "InvalidRequest"), error(403, "AccessDenied"), error(501, "Not")):
        scripted.answer = lambda *_, given=given: given
        with pytest.raises(UserError, match="; 0 sent, 2 captures queued in "):
            flush(settings_for(scripted.endpoint))
        assert outbox.queued() == paths


def test_one_that_must_wait_lets_the_rest_go_on(outbox, flush, scripted):
    paths = [outbox.add(number, [{"key": number}]) for number in range(3)]
    scripted.answer = refusing(paths[0].name, error(503, "SlowDown"))
    with pytest.raises(UserError, match="answers 503 SlowDown .*; 2 sent, 1 capture queued in "):
        flush(settings_for(scripted.endpoint))
    assert outbox.queued() == paths[:1] and names(scripted).count(paths[0].name) == 3


def test_a_capture_that_is_damaged_is_put_aside(outbox, flush, scripted):
    paths = [outbox.add(number, [{"key": number}]) for number in range(4)]
    for path, content in zip(paths, (b"", b'{"key": 1', b"root:x:0:0\n")):
        path.write_bytes(content)
    assert flush(settings_for(scripted.endpoint)) == (1, 3)
    assert names(scripted) == [paths[3].name] and outbox.queued() == []
    assert {path.name for path in outbox.refused.glob("*.jsonl")} == {p.name for p in paths[:3]}


def test_a_capture_that_becomes_a_link_is_not_followed(outbox, flush, scripted, tmp_path):
    path = outbox.add(1, [{"key": 1}])
    (tmp_path / "secret").write_text('{"key": "secret"}\n')

    def queued():
        path.unlink()
        path.symlink_to(tmp_path / "secret")
        return [path]

    outbox.queued = queued
    assert flush(settings_for(scripted.endpoint)) == (0, 1)
    assert scripted.seen == [] and (tmp_path / "secret").exists()


def test_a_capture_that_another_program_has_sent_is_no_error(outbox, flush, scripted):
    paths = [outbox.add(number, [{"key": number}]) for number in range(2)]
    paths[0].unlink()
    outbox.queued = lambda: paths
    assert flush(settings_for(scripted.endpoint)) == (1, 0)


def test_what_cannot_be_put_aside_stays_and_the_rest_goes_on(outbox, flush, scripted, tmp_path):
    paths = [outbox.add(number, [{"key": number}]) for number in range(2)]
    paths[0].write_bytes(b"")
    outbox.refused.symlink_to(tmp_path)
    with pytest.raises(UserError, match="it is empty: .*/refused: it is a link; 1 sent, 1 capture"):
        flush(settings_for(scripted.endpoint))
    assert outbox.queued() == paths[:1] and not list(tmp_path.glob("*.txt"))


def test_faces_on_an_open_network_are_warned_of(outbox, flush, monkeypatch, capsys):
    outbox.add(1, [{"key": 1, "face_jpeg": "x"}])
    monkeypatch.setattr(delivery, "Bucket", lambda s3: SimpleNamespace(settings=s3, send=print))
    flush(settings_for("http://far.test"))
    out, err = capsys.readouterr()
    assert "warning: http://far.test: faces and embeddings are sent" in err
    assert json.dumps({"key": 1, "face_jpeg": "x"}) in out
    assert os.listdir(outbox.folder) == []
