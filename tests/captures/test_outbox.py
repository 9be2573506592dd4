import json
import os
import time

import pytest

from age_gender.captures.outbox import DAY, Outbox, Retention


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox")


def test_frame_ids_never_repeat(outbox):
    ids = [outbox.frame_id() for _ in range(1000)]
    assert len(set(ids)) == 1000 and ids == sorted(ids)


def test_outbox_keeps_whole_files_in_order(outbox):
    for number in range(5):
        outbox.add(100 + number, [{"key": number}, {"key": 9}])
    assert [json.loads(path.read_text().splitlines()[0])["key"] for path in outbox.queued()] == [
        *range(5)
    ]
    (outbox.folder / "99-dead.jsonl.part").write_text("{")
    old = time.time() - 100
    os.utime(outbox.folder / "99-dead.jsonl.part", (old, old))
    assert len(outbox.queued()) == 5
    outbox.clean()
    assert len(list(outbox.folder.iterdir())) == 5


def test_prune_deletes_what_is_older(outbox):
    paths = [outbox.add(number, [{}]) for number in range(3)]
    old = time.time() - 2 * DAY
    os.utime(paths[0], (old, old))
    assert outbox.prune(3) == 0 and outbox.prune(1.5) == 1
    assert outbox.queued() == paths[1:]


def test_retention_is_applied_at_most_once_an_hour(outbox, capsys):
    def add_old(number):
        path = outbox.add(number, [{}])
        os.utime(path, (0, 0))

    add_old(1)
    Retention(outbox, None).apply()
    assert outbox.status() == f"1 capture queued in {outbox.folder}"
    retention = Retention(outbox, 30)
    retention.apply()
    add_old(2)
    retention.apply()
    assert outbox.status() == f"1 capture queued in {outbox.folder}"
    assert capsys.readouterr().err == (
        f"1 capture older than 30 days deleted from {outbox.folder}\n"
    )
