import csv
import errno
import json
import os
import stat

import numpy as np
import pytest

from age_gender.captures import saved as module
from age_gender.captures.saved import SavedFrames

PICTURE = np.full((30, 40, 3), 90, np.uint8)


def record(frame_id, **changes):
    return {"key": frame_id * 100 + 1, "frame_id": frame_id, "source": "x", **changes}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_run_has_tables_of_its_own(tmp_path):
    for run in range(3):
        frames = SavedFrames(tmp_path / "out")
        for number in range(2):
            assert frames.add(PICTURE, [record(10 * run + number)]).endswith(".jpg")
    assert sorted(path.name for path in (tmp_path / "out").glob("results*")) == [
        *("results-2.csv", "results-2.jsonl", "results-3.csv", "results-3.jsonl"),
        *("results.csv", "results.jsonl"),
    ]
    for name, run in {"results": 0, "results-2": 1, "results-3": 2}.items():
        with open(tmp_path / "out" / f"{name}.csv", newline="") as table:
            rows = [int(row["frame_id"]) for row in csv.DictReader(table)]
        lines = (tmp_path / "out" / f"{name}.jsonl").read_text().splitlines()
        assert rows == [json.loads(line)["frame_id"] for line in lines] == [10 * run, 10 * run + 1]


def test_tables_that_are_taken_away_are_begun_again(tmp_path):
    frames = SavedFrames(tmp_path)
    frames.add(PICTURE, [record(1)])
    (tmp_path / "results.csv").unlink()
    frames.add(PICTURE, [record(2)])
    assert (tmp_path / "results-2.csv").exists() and (tmp_path / "results-2.jsonl").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_what_is_saved_is_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        SavedFrames(tmp_path / "saved").add(PICTURE, [record(1)])
    finally:
        os.umask(before)
    found = [tmp_path / "saved", *(tmp_path / "saved").iterdir()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in found] == [0o700] + [0o600] * 3


def test_names_that_are_no_text_are_escaped(tmp_path):
    SavedFrames(tmp_path).add(PICTURE, [record(1, source="\udcff.jpg")])
    assert "\\udcff.jpg" in (tmp_path / "results.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", range(3))
def test_a_frame_is_saved_as_a_whole_or_not_at_all(tmp_path, monkeypatch, number):
    frames = SavedFrames(tmp_path)
    frames.add(PICTURE, [record(1)])
    before, calls = contents(tmp_path), []

    def failing(real):
        def sync(*arguments):
            calls.append(real)
            if len(calls) == number + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(*arguments)

        return sync

    for name in ("sync", "sync_folder"):
        monkeypatch.setattr(module, name, failing(getattr(module, name)))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        frames.add(PICTURE, [record(2)])
    assert contents(tmp_path) == before
    frames.add(PICTURE, [record(3)])
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2


def test_no_picture_is_overwritten(tmp_path):
    (tmp_path / "1.jpg").write_text("mine")
    with pytest.raises(FileExistsError):
        SavedFrames(tmp_path).add(PICTURE, [record(1)])
    assert contents(tmp_path) == {"1.jpg": b"mine"}
