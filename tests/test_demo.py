import csv
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import demo
from age_gender import weights
from age_gender.command_line import UserError
from age_gender.estimates import Quantiles
from helpers import LIGHT, ROOT, until
from helpers.pictures import write_chips, write_video

RULE = Quantiles(((0, 0.05, 0.95),))  # of age intervals


def rows_of(output):
    with open(output / "results.csv", newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


@pytest.mark.long
def test_weights_that_ship_see_a_woman_in_the_astronaut(command, tmp_path):
    """What `make demo` does, with nothing but the shipped weights and its few packages."""
    pictures = ROOT / "tools" / "pictures"
    done = command("demo.py", "--image_dir", pictures, "--output_dir", "out", env=LIGHT)
    assert done.returncode == 0, done.stderr
    row, other = rows_of(tmp_path / "out")
    assert other["file"] == "coffee.jpg" and other["status"] == "no face"
    assert row["file"] == "astronaut.jpg" and row["gender"] == "F"
    assert 20 < float(row["age"]) < 50
    first, second = done.stdout.splitlines()
    assert first.startswith("astronaut.jpg  face 1  box ") and second == "coffee.jpg  no face"
    assert [line for line in done.stderr.splitlines() if " of 2 pictures" not in line] == [
        "2 files: 1 with 1 face, 1 without a face, 0 unreadable, 0 left out",
        "annotated pictures and results.csv, results.jsonl are in out",
    ]
    drawn = cv2.imread(str(tmp_path / "out" / "astronaut.jpg"))
    before = cv2.imread(str(pictures / "astronaut.jpg"))
    assert drawn.shape == before.shape and drawn[100:150, 200:240].any()


def test_real_portraits_have_one_face_each(shared, tmp_path, capsys):
    pictures = str(shared / "pictures")
    demo.main(["--image_dir", pictures, "--output_dir", str(tmp_path)])
    assert [row["file"] for row in rows_of(tmp_path)] == ["biden.jpg", "obama.jpg", "obama2.jpg"]
    assert all(row["gender"] == "M" and row["face"] == "1" for row in rows_of(tmp_path))


def test_four_faces_in_one_picture_are_four_rows(shared, astronaut, tmp_path, tiny_weights):
    canvas = np.full((1600, 2400, 3), 100, np.uint8)
    names = ("biden.jpg", "obama.jpg", "obama2.jpg")
    portraits = [cv2.imread(str(shared / "pictures" / name)) for name in names] + [astronaut]
    for portrait, left, height in zip(portraits, (0, 500, 1100, 1500), (1100, 700, 500, 400)):
        factor = height / portrait.shape[0]
        small = cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        canvas[100 : 100 + small.shape[0], left : left + small.shape[1]] = small
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "four.jpg"), canvas)
    out = tmp_path / "out"
    options = ["--weight_file", str(tiny_weights[0]), "--output_dir", str(out)]
    demo.main(["--image_dir", str(folder), *options])
    rows = rows_of(out)
    assert [row["face"] for row in rows] == ["1", "2", "3", "4"]
    assert len({row["width"] for row in rows}) == 4


def test_pictures_and_videos_have_one_output_without_collisions(
    tmp_path, tiny_weights, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for name in ("a/1.png", "b/a/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(name, np.full((40, 40, 3), 90, np.uint8))
    write_video("clip.avi", np.full((48, 64, 3), 90, np.uint8), 2)
    options = ["--weight_file", str(tiny_weights[0]), "--json"]
    assert demo.main(["a", "clip.avi", "b/a", *options, "--output_dir", "out"]) == 0
    printed = capsys.readouterr().out
    assert [json.loads(line)["file"] for line in printed.splitlines()] == [
        *("a/1.png", "b/a/1.png", "clip.avi")
    ]
    assert sorted(str(path) for path in Path("out").rglob("*.[mp]*")) == [
        *("out/a/1.png", "out/b/a/1.png", "out/clip.avi/video.mp4")
    ]
    tables = [Path("out") / folder / "results.jsonl" for folder in ("", "clip.avi")]
    assert printed == "".join(table.read_text() for table in tables)


def test_pictures_are_lines_where_there_is_no_display(tmp_path, tiny_weights, monkeypatch, capsys):
    monkeypatch.setenv("DISPLAY", "")
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 40, 3), 90, np.uint8))
    demo.main(["--source", str(tmp_path / "a.png"), "--weight_file", str(tiny_weights[0])])
    out, err = capsys.readouterr()
    assert out == "a.png  no face\n"
    assert err.startswith("no display to open a window on: lines are printed; --output_dir OUT")


def test_cropped_pictures_need_no_detector(tmp_path, tiny_weights):
    folder = str(write_chips(tmp_path / "chips", 5))
    options = ["--output_dir", str(tmp_path / "out"), "--cropped"]
    demo.main(["--image_dir", folder, "--weight_file", str(tiny_weights[0]), *options])
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 5 and all(row["score"] == "" for row in rows)
    assert all((row["left"], row["width"]) == ("0", "48") for row in rows)


def test_interval_of_the_weights_is_told_with_the_age(tmp_path, tiny_weights, capsys):
    folder = str(write_chips(tmp_path / "chips", 3))
    path = tmp_path / "weights.hdf5"
    path.write_bytes(tiny_weights[0].read_bytes())
    options = ["--image_dir", folder, "--weight_file", str(path), "--cropped", "--interval"]
    options += ["--output_dir", str(tmp_path / "out")]
    with pytest.raises(UserError, match="has no age intervals: evaluate.py --keep_interval"):
        demo.main(options)
    weights.keep_interval(path, 0.9, RULE)
    demo.main(options)
    lines = capsys.readouterr().out.splitlines()
    for row, line in zip(rows_of(tmp_path / "out"), lines):
        assert int(row["low"]) < float(row["age"]) < int(row["high"])
        assert line.endswith(f"age {row['age']} ({row['low']}-{row['high']})")


def test_margin_against_the_weights_is_obeyed_with_a_warning(tmp_path, capsys, tiny_weights):
    from skimage import data

    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "face.png"), data.astronaut()[:, :, ::-1])
    folder, output = str(tmp_path / "in"), tmp_path / "out"
    base = ["--image_dir", folder, "--weight_file", str(tiny_weights[0]), "--overwrite"]
    ages = []
    for margin in ([], ["--margin", "0.0"]):
        demo.main([*base, "--output_dir", str(output), *margin])
        warned = "warning: --margin" in capsys.readouterr().err
        assert warned == bool(margin)
        ages.append(rows_of(output)[0]["probability"] + rows_of(output)[0]["age"])
    assert len(set(ages)) == 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--cropped"], "--cropped needs pictures"),
        (["--image_dir", "a", "--overwrite"], "--overwrite needs --output_dir"),
        (["--image_dir", "a", "--resume"], "--resume needs --output_dir"),
        (["--output_dir", "a", "--resume"], "--resume needs --image_dir"),
        (
            ["--image_dir", "a", "--output_dir", "b", "--resume", "--overwrite"],
            "--resume and --overwrite exclude each other",
        ),
        (
            ["--image_dir", "a", "--source", "0"],
            "argument --source: not allowed with argument --image_dir",
        ),
        (
            ["--image_dir", "a", "--source", "1"],
            "argument --source: not allowed with argument --image_dir",
        ),
        (["--margin", "-1"], "argument --margin: must be a number from 0 to 10, received '-1'"),
        (["--depth", "x"], "argument --depth: must be a whole number from 1 to 1000, received 'x'"),
        (
            ["--image_dir", "a", "--cropped", "--margin", "0.4"],
            "--cropped and --margin exclude each other: nothing is cut",
        ),
    ],
)
def test_wrong_option_is_one_line_that_names_it(capsys, arguments, message):
    with pytest.raises(SystemExit) as error:
        demo.get_args(arguments)
    assert error.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: {message}")


def test_mistakes_are_one_line_and_exit_code_2(command, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    cv2.imwrite(str(tmp_path / "full" / "a.png"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "page.hdf5").write_text("<html>Not Found</html>")
    for arguments, message in {
        ("--image_dir", "none"): "--image_dir: none does not exist: give a folder with pictures",
        (
            "--image_dir",
            "empty",
        ): "--image_dir: empty holds no pictures",
        ("--image_dir", "full", "--output_dir", "full"): "--output_dir: full is the folder of the",
        ("--image_dir", "full", "--output_dir", "full/a.png"): "--output_dir: full/a.png is a file",
        ("--image_dir", "full", "--output_dir", "full/a.png/b"): "Not a directory",
        ("--source", "77"): "no display to open a window on: --output_dir OUT writes files",
        ("--colour", "blue"): "unrecognized arguments: --colour",
        ("--image-dir", "full"): "unrecognized arguments: --image-dir: did you mean --image_dir?",
        ("--source", "typo.mp4"): "--source: typo.mp4 does not exist: give a picture, a folder",
        ("full", "--output_dir", "full"): "--output_dir: full is the folder of the pictures",
        ("full/a.png", "none.png"): "none.png does not exist",
        ("--weight_file", "page.hdf5"): "page.hdf5 is not a weight file: it is a web page saved",
        ("--depth", "10"): "wide_resnet_16_2.hdf5 holds a WideResNet 16-2 for 96 px faces, stem",
        (): "no display to open a window on: --output_dir OUT writes files instead, and needs",
    }.items():
        done = command("demo.py", *arguments)
        assert done.returncode == 2 and done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("demo.py: error: ") and message in done.stderr


@pytest.mark.parametrize("also, code", [([], 4), (["whole.png"], 3)])
def test_exit_code_says_whether_some_or_none_could_be_read(tmp_path, tiny_weights, also, code):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "face.jpg").write_bytes(b"broken")
    for name in also:
        cv2.imwrite(str(tmp_path / "in" / name), np.zeros((40, 40, 3), np.uint8))
    options = ["--output_dir", str(tmp_path / "out"), "--weight_file", str(tiny_weights[0])]
    assert demo.main(["--image_dir", str(tmp_path / "in"), *options]) == code
    rows = rows_of(tmp_path / "out")
    assert rows[0]["status"] == "unreadable: it is damaged or not a picture"
    assert len(rows) == 1 + len(also)


def _processes_of(parent):
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children]


def _is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.long
@pytest.mark.parametrize("signal_sent", [signal.SIGKILL, signal.SIGINT])
def test_end_in_the_middle_leaves_rows_and_no_process_and_resume_does_the_rest(
    tmp_path, tiny_weights, astronaut, signal_sent
):
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(100):
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), astronaut[:240, 100:340])
    command = [sys.executable, ROOT / "demo.py", "--image_dir", folder, "--output_dir", output]
    command += ["--weight_file", tiny_weights[0]]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    printed = process.stdout.readline()  # the first face is through
    children = _processes_of(process.pid)
    assert children
    process.send_signal(signal_sent)
    more, said = process.communicate(timeout=120)
    until(lambda: not any(map(_is_running, children)))
    assert "Traceback" not in said
    assert not (output / "results.csv").exists() and not (output / "results.jsonl").exists()
    if signal_sent != signal.SIGKILL:
        assert process.returncode == 130
        assert re.match(r"demo.py: stopped after \d+ of 100 pictures: ", said.splitlines()[-1])
    lines = (output / "results.csv.part").read_text().count("\n") - 1
    assert len((printed + more).splitlines()) <= lines < 100
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    # the last row may not have been noted yet when the end came
    assert done.returncode == 0 and len(done.stdout.splitlines()) in (100 - lines, 101 - lines)
    assert [row["file"] for row in rows_of(output)] == [f"{n:03d}.jpg" for n in range(100)]
    assert len(list(output.glob("*.jpg"))) == 100 and not list(output.glob("*.part"))
