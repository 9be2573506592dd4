import csv
import json
import os

import cv2
import numpy as np
import pytest

from age_gender import faces, listing, pictures, system, weights
from age_gender.command_line import UserError
from age_gender.face_estimator import FaceEstimator, Recipe
from age_gender.output import folder as output_folder
from age_gender.output import tables
from helpers.one_process import OneProcess
from wide_resnet import WideResNet


def estimate(folder, output, tiny_weights, resume=False, **options):
    found = listing.list_pictures(folder, exclude=output)
    recipe = Recipe.of(tiny_weights[0], **options)
    return output_folder.estimate_folder(found, output, recipe, resume=resume)


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """The processes have tests of their own, and those of demo.py."""
    monkeypatch.setattr(output_folder.processes, "pool", OneProcess.pool)


@pytest.fixture
def folder(tmp_path, astronaut):
    """A face, the same in a folder with a name of its own, a picture without, a broken one."""
    folder = tmp_path / "pictures"
    (folder / "süb dir").mkdir(parents=True)
    cv2.imwrite(str(folder / "a face.jpg"), astronaut)
    (folder / "süb dir" / "日本.tiff").write_bytes(cv2.imencode(".tiff", astronaut)[1])
    cv2.imwrite(str(folder / "none.png"), np.full((200, 300, 3), 90, np.uint8))
    (folder / "broken.jpg").write_bytes(b"broken")
    return folder


def test_folder_gives_tables_pictures_and_a_line_for_each_face(
    folder, tmp_path, tiny_weights, capsys
):
    output = tmp_path / "out"
    counts = estimate(folder, output, tiny_weights)
    assert str(counts) == ("4 files: 2 with 2 faces, 1 without a face, 1 unreadable, 0 left out")
    assert counts.exit_code == system.SOME_FAILED
    out, err = capsys.readouterr()
    assert "skipped broken.jpg: it is damaged or not a picture" in err
    with open(output / "results.csv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert [(row["file"], row["status"]) for row in rows] == [
        ("a face.jpg", "face"),
        ("broken.jpg", "unreadable: it is damaged or not a picture"),
        ("none.png", "no face"),
        ("süb dir/日本.tiff", "face"),
    ]
    lines = (output / "results.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for row, record in zip(rows, records):
        assert {key: "" if value is None else str(value) for key, value in record.items()} == row
        if record["status"] != "face":
            assert record["face"] is None and record["age"] is None
            continue
        assert record["face"] == 1 and record["score"] > 0
        assert record["age"] == round(record["age"], 1) and 0 <= record["age"] <= 100
        assert record["gender"] in "MF" and 0.5 <= record["probability"] <= 1
        assert record["left"] >= 0 and record["left"] + record["width"] <= 512
    first = records[0]
    assert out.splitlines() == [
        f"a face.jpg  face 1  box {first['left']} {first['top']} {first['width']} "
        f"{first['height']}  score {first['score']:.2f}  {first['gender']} "
        f"{first['probability']:.2f}  age {first['age']}",
        "none.png  no face",
        out.splitlines()[2],
    ]
    assert out.splitlines()[2].startswith("süb dir/日本.tiff  face 1  box ")
    names = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert names == {
        "a face.jpg",
        "none.png",
        "results.csv",
        "results.jsonl",
        "resume.jsonl",
        "süb dir/日本.tiff.png",
    }
    drawn = pictures.read_picture(output / "a face.jpg")
    assert drawn.shape == (512, 512, 3)


def test_lines_alone_or_rows_as_json_need_no_output(folder, tmp_path, tiny_weights, capsys):
    before = sorted(tmp_path.rglob("*"))
    found, recipe = listing.list_pictures(folder), Recipe.of(tiny_weights[0])
    output_folder.estimate_folder(found, None, recipe)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in lines] == [
        *("a face.jpg", "none.png", "süb dir/日本.tiff")
    ]
    assert sorted(tmp_path.rglob("*")) == before
    output_folder.estimate_folder(found, tmp_path / "out", recipe, as_json=True)
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "out" / "results.jsonl").read_text()
    assert json.loads(printed.splitlines()[1])["status"].startswith("unreadable: ")


def test_estimates_are_those_of_the_network(tmp_path, tiny_weights):
    folder = tmp_path / "chips"
    folder.mkdir()
    rng = np.random.default_rng(0)
    chips = rng.integers(0, 256, (20, 40, 40, 3), dtype=np.uint8)
    for number, chip in enumerate(chips):
        cv2.imwrite(str(folder / f"{number:03d}.png"), chip)
    assert estimate(folder, tmp_path / "out", tiny_weights, cropped=True).faces == 20
    resized = np.stack([cv2.resize(chip, (32, 32)) for chip in chips]).astype(np.float32)
    expected = tiny_weights[1].predict(resized, verbose=0)[1] @ np.arange(101)
    records = records_of(tmp_path / "out" / "results.jsonl")
    assert [record["file"] for record in records] == [f"{number:03d}.png" for number in range(20)]
    np.testing.assert_allclose([record["age"] for record in records], expected, atol=0.051)
    assert all(record["score"] is None and record["width"] == 40 for record in records)


def records_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Stopping(OneProcess):
    """As Ctrl-C does, ends a run when so many pictures are done."""

    left = 0

    @staticmethod
    def wait(task):
        if Stopping.left == 0:
            raise KeyboardInterrupt
        Stopping.left -= 1
        return task


@pytest.fixture
def stop_after(monkeypatch):
    def stop(count):
        monkeypatch.setattr(Stopping, "left", count)
        monkeypatch.setattr(output_folder.processes, "pool", Stopping.pool)

    return stop


def test_stopped_run_keeps_its_rows_and_goes_on_with_the_others(
    folder, tmp_path, tiny_weights, stop_after, capsys
):
    whole, output = tmp_path / "whole", tmp_path / "out"
    (folder / "b.txt").write_text("no picture")
    estimate(folder, whole, tiny_weights)
    stop_after(2)
    with pytest.raises(KeyboardInterrupt) as stop:
        estimate(folder, output, tiny_weights)
    assert str(stop.value) == (
        f"stopped after 2 of 4 pictures: their rows are in {output}/results.csv.part; the same "
        "command with --resume goes on from there"
    )
    parts = [f"{name}.part" for name in tables.TABLES]
    assert [(output / part).read_text().count("\n") for part in parts] == [4, 3]
    assert {"resume.jsonl", "a face.jpg", *parts} <= {path.name for path in output.iterdir()}
    with open(output / parts[1], "a") as table:
        table.write('{"file": "none.png", "fa')
    before = (output / "a face.jpg").stat().st_mtime_ns
    stop_after(99)
    capsys.readouterr()
    counts = estimate(folder, output, tiny_weights, resume=True)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and "2 of 4 pictures are done\n" in err
    assert (output / "a face.jpg").stat().st_mtime_ns == before
    assert str(counts) == (
        "5 files: 2 with 2 faces, 1 without a face, 1 unreadable, 1 left out (1 not a picture)"
    )
    for name in tables.TABLES:
        lines = [sorted((each / name).read_text().splitlines()) for each in (whole, output)]
        assert lines[0] == lines[1]
    assert estimate(folder, output, tiny_weights, resume=True).faces == 2
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match="age_offset 0.0, which is 2.0 now: give the same again"):
        estimate(folder, output, tiny_weights, resume=True, age_offset=2.0)


def test_pictures_never_take_each_others_names(tmp_path):
    names = ["a.bmp", "a.bmp.png", "a.bmp_.png", "a.jpg", "b.tiff"]
    targets = output_folder._targets([tmp_path / name for name in names], tmp_path, tmp_path / "o")
    assert [targets[tmp_path / name].name for name in names] == [
        "a.bmp__.png",
        "a.bmp.png",
        "a.bmp_.png",
        "a.jpg",
        "b.tiff.png",
    ]


def test_cropped_pictures_are_resized_by_the_filter_of_the_weights():
    chip = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    for resize, flag in (("linear", cv2.INTER_LINEAR), ("area", cv2.INTER_AREA)):
        description = weights.Description(WideResNet(32), resize=resize)
        recipe = Recipe(None, description, faces.Cut.of(description), cropped=True)
        _, (cut,) = FaceEstimator(recipe=recipe).find(chip)
        np.testing.assert_array_equal(cut, cv2.resize(chip, (32, 32), interpolation=flag))


def rows_of(output):
    with open(output / "results.csv", newline="", encoding="utf-8") as table:
        return {row["file"]: row["status"] for row in csv.DictReader(table)}


def test_every_input_has_one_outcome_whatever_it_is(tmp_path, astronaut, tiny_weights, capsys):
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    data = cv2.imencode(".jpg", astronaut)[1].tobytes()
    long = "写" * 83 + ".jpg"  # 253 bytes
    for name in (b"caf\xe9.jpg", long, "line\nend\x1b.jpg", "none", "a.jfif"):
        try:
            with open(os.path.join(os.fsencode(folder), os.fsencode(name)), "wb") as file:
                file.write(data)
        except OSError:
            pytest.skip("this file system does not take every name")
    (folder / "cut.jpg").write_bytes(data[:-2])
    for width, height in ((1, 1), (8000, 1), (1, 8000)):
        image = np.full((height, width, 3), 200, np.uint8)
        cv2.imwrite(str(folder / f"{width}x{height}.png"), image)
    (folder / "notes.txt").write_text("no picture")
    counts = estimate(folder, output, tiny_weights)
    assert str(counts) == (
        "10 files: 6 with 6 faces, 3 without a face, 0 unreadable, 1 left out (1 not a picture)"
    )
    assert counts.exit_code == 0
    assert rows_of(output) == {
        **dict.fromkeys(["1x1.png", "8000x1.png", "1x8000.png"], "no face"),
        **dict.fromkeys(["a.jfif", "none", "cut.jpg", "line\nend\x1b.jpg", long], "face"),
        r"caf\udce9.jpg": "face",
        "notes.txt": "skipped: not a picture",
    }
    out, err = capsys.readouterr()
    assert r"line\nend\x1b.jpg  face 1" in out and r"caf\udce9.jpg  face 1" in out
    assert "cut.jpg: it is cut short or damaged: what is left of it is read" in err
    written = {os.fsencode(path.name) for path in output.iterdir()}
    assert {b"caf\xe9.jpg", b"none.png", b"a.jfif.png"} < written
    (shortened,) = [name for name in written if name.startswith("写".encode())]
    assert len(shortened) <= 250 and shortened.endswith(b".jpg") and b"~" in shortened


def test_its_own_output_is_no_input(tmp_path, astronaut, tiny_weights):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("1.jpg", "2.png"):
        cv2.imwrite(str(folder / name), astronaut)
    estimate(folder, folder / "old", tiny_weights)
    os.rename(folder / "old" / "2.png", folder / "moved.png")
    counts = estimate(folder, folder / "new", tiny_weights)
    assert str(counts).endswith("0 unreadable, 5 left out (5 output of this program)")
    assert counts.read == 2
    rows = rows_of(folder / "new")
    assert {name for name, status in rows.items() if status.startswith("skipped: output")} == {
        *("moved.png", "old/1.jpg", "old/results.csv", "old/results.jsonl", "old/resume.jsonl")
    }
    again = estimate(folder, folder / "new", tiny_weights)
    assert again.read == 2 and len(again.left_out) == 5 + 5


def test_picture_that_cannot_be_written_is_named_and_the_others_are(
    folder, tmp_path, tiny_weights, capsys
):
    output = tmp_path / "out"
    output.mkdir()
    (output / "süb dir").write_text("in the way")
    counts = estimate(folder, output, tiny_weights)
    assert counts.unwritten == 1 and counts.exit_code == system.SOME_FAILED
    assert str(counts).endswith("; 1 annotated picture could not be written")
    assert "日本.tiff.png could not be written: " in capsys.readouterr().err
    assert (output / "a face.jpg").exists() and rows_of(output)["süb dir/日本.tiff"] == "face"


def test_full_disk_ends_the_run(folder, tiny_weights, small_disk):
    disk, _ = small_disk
    with pytest.raises(UserError) as error:
        estimate(folder, disk / "out", tiny_weights)
    assert str(error.value) == (
        f"{disk}/out/a face.jpg: No space left on device: make room, and run the same command with "
        "--resume"
    )


def test_rows_are_written_as_pictures_are_done(folder, tmp_path, tiny_weights, monkeypatch):
    seen = []
    monkeypatch.setattr(
        tables,
        "result",
        lambda line: seen.append((tmp_path / "out/results.csv.part").read_text()),
    )
    estimate(folder, tmp_path / "out", tiny_weights)
    assert [text.count("\n") for text in seen] == [2, 4, 5]
    assert [text.count("a face.jpg") for text in seen] == [1, 1, 1]


def test_name_that_is_too_long_keeps_its_beginning_and_its_suffix():
    assert output_folder._shortened("a" * 240 + ".png") == "a" * 240 + ".png"
    short = [output_folder._shortened(end * 100 + "é" * 100 + ".png") for end in "ab"]
    assert all(len(os.fsencode(name)) <= 250 and name.endswith(".png") for name in short)
    assert len(set(short)) == 2 and short[0].startswith("a" * 100 + "é")
