import csv

import cv2
import numpy as np
import pytest

import evaluate_appa_real
from age_gender.command_line import UserError
from age_gender.estimator import Estimator
from helpers.pictures import write_appa_real


@pytest.fixture
def release(tmp_path):
    """13 pictures in the validation part, of which one is missing and one damaged."""
    folder = write_appa_real(tmp_path / "appa-real-release", 13, parts=("valid", "test"))
    (folder / "valid" / "000004.jpg_face.jpg").unlink()
    (folder / "valid" / "000007.jpg_face.jpg").write_bytes(b"no picture")
    return folder


def test_errors_are_over_the_pictures_that_are_there(release, tiny_weights, tmp_path, capsys):
    path, _ = tiny_weights
    evaluate_appa_real.main(
        ["--weight_file", str(path), "--dataset_root", str(release)]
        + ["--output_dir", str(tmp_path / "out")]
    )
    out, err = capsys.readouterr()
    kept = [row for row in range(13) if row not in (4, 7)]
    faces = [
        cv2.resize(cv2.imread(str(release / "valid" / f"{row:06d}.jpg_face.jpg")), (32, 32))
        for row in kept
    ]
    guesses = Estimator(path)(np.stack(faces)).ages
    lines = out.splitlines()
    assert lines[0] == "11 of 13 pictures"
    for line, name, first in zip(lines[1:], ("Apparent", "Real"), (20.2, 22)):
        expected = abs(guesses - (first + np.array(kept))).mean()
        assert line.startswith(f"MAE {name}: ")
        assert float(line.split()[-1]) == pytest.approx(expected, abs=1e-3)
    assert err.splitlines()[0] == (
        f"warning: the faces of {release} are cut differently (margin 0.4, linear) from those that "
        "the weights were trained on (aligned, linear)"
    )
    assert err.splitlines()[-1] == (
        "pictures that are missing or unreadable: 2 (valid/000004.jpg_face.jpg, "
        "valid/000007.jpg_face.jpg)"
    )
    skipped = (tmp_path / "out" / "appa_real_valid_skipped.csv").read_text().splitlines()
    assert skipped[1] == "valid/000004.jpg_face.jpg,No such file or directory"
    with open(tmp_path / "out" / "appa_real_valid.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 11 and rows[0]["real age"] == "22.0"


def test_earlier_table_is_replaced_only_if_asked_for(release, tiny_weights, tmp_path):
    table = tmp_path / "appa_real_valid.csv"
    table.write_text("precious")
    command = ["--weight_file", str(tiny_weights[0]), "--dataset_root", str(release)]
    command += ["--output_dir", str(tmp_path)]
    with pytest.raises(UserError) as error:
        evaluate_appa_real.main(command)
    assert str(error.value) == (
        f"--output_dir: {tmp_path} holds appa_real_valid.csv: add --overwrite to replace it, or "
        "give another folder"
    )
    assert table.read_text() == "precious"
    evaluate_appa_real.main([*command, "--overwrite"])
    assert table.read_text().startswith("file,apparent age")


def test_other_part_and_defaults(release, tiny_weights, capsys):
    args = evaluate_appa_real.get_args([])
    assert str(args.dataset_root) == "appa-real/appa-real-release"
    assert (args.split, args.depth, args.width, args.weight_file) == ("valid", None, None, None)
    command = ["--weight_file", str(tiny_weights[0]), "--dataset_root", str(release)]
    evaluate_appa_real.main([*command, "--split", "test"])
    assert capsys.readouterr().out.startswith("13 of 13 pictures\n")


def test_mistakes_are_one_line(release, tiny_weights):
    command = ["--weight_file", str(tiny_weights[0]), "--dataset_root"]
    with pytest.raises(UserError, match="gt_avg_valid.csv does not exist: give APPA-REAL's folder"):
        evaluate_appa_real.main([*command, "nowhere"])
    with pytest.raises(UserError, match="but depth 16 is required"):
        evaluate_appa_real.main([*command, str(release), "--depth", "16"])
    table = release / "gt_avg_valid.csv"
    table.write_text(table.read_text().replace(",24.2,", ",nan,"))
    with pytest.raises(
        UserError, match=r"^--dataset_root: .*, row 6: apparent_age_avg must be .* received 'nan'$"
    ):
        evaluate_appa_real.main([*command, str(release)])
    for path in (release / "test").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="holds none of the pictures that its table names"):
        evaluate_appa_real.main([*command, str(release), "--split", "test"])
