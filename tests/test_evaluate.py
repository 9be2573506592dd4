import json

import numpy as np
import pytest

import evaluate
from age_gender import weights
from age_gender.command_line import UserError
from helpers.pictures import write_appa_real, write_chips, write_database
from wide_resnet import WideResNet


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    return write_chips(tmp_path_factory.mktemp("chips") / "UTKFace", 70)


@pytest.fixture(scope="module")
def database(chips):
    return write_database(chips.parent / "utk.mat", chips)


@pytest.fixture(scope="module")
def weight_file(tmp_path_factory, tiny_weights):
    """Random weights that say that they were trained on UTKFace."""
    said = weights.Description(
        WideResNet(32, 10, 1), crop="aligned", margin=None, data="UTKFace", split_seed=0
    )
    said.validation_split, said.test_split = 0.3, 0.2
    path = tmp_path_factory.mktemp("weights") / "trained.hdf5"
    weights.write(path, tiny_weights[1], said)
    return path


def run(capsys, *arguments):
    evaluate.main([str(each) for each in arguments])
    return capsys.readouterr()


def test_validation_part_is_measured_and_ends_with_the_originals_lines(
    database, weight_file, tmp_path, capsys
):
    from age_gender.data.database import FaceDatabase
    from age_gender.estimator import Estimator

    out, _ = run(
        capsys, "-i", database, "--weight_file", weight_file, "--output_dir", tmp_path / "report"
    )
    faces = FaceDatabase(database)
    _, rows, _ = faces.split(0.3, 0.2, 0)
    estimates = Estimator(weight_file)(np.stack([faces.images[row] for row in rows]))
    mae = abs(estimates.ages - faces.ages[rows]).mean()
    right = ((estimates.males >= 0.5) == (faces.genders[rows] == 1)).mean()
    lines = out.splitlines()
    assert lines[0] == f"{len(rows)} pictures, validation"
    assert lines[-2:] == [f"MAE Age: {mae:.2f}", f"Gender accuracy: {100 * right:.2f}"]
    assert any(line.startswith(f"  race White: {len(rows)} pictures") for line in lines)
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "bands.csv",
        "bands.png",
        "bands_by_gender.csv",
        "predicted.png",
        "races.csv",
        "random.png",
        "reliability.png",
        "report.json",
        "worst.png",
    ]


def test_parts_of_the_split_are_chosen(database, weight_file, capsys):
    counts = {}
    for part in ("all", "training", "validation", "test"):
        out, _ = run(capsys, "-i", database, "--weight_file", weight_file, "--part", part)
        counts[part] = int(out.split()[0])
    assert counts.pop("all") == 70 == sum(counts.values())


def test_two_weights_are_compared_on_a_folder(chips, tiny_weights, weight_file, capsys):
    out, err = run(
        capsys,
        "-i",
        chips,
        "--weight_file",
        tiny_weights[0],
        weight_file,
        "--json",
        "--part",
        "all",
    )
    said = json.loads(out)
    assert said["pictures"] == 70 and len(said["weights"]) == 2
    (change,) = said["age_mae_differences"]
    assert change == {"value": 0, "low": 0, "high": 0}  # the same numbers in both files
    assert "WARNING, tiny.hdf5: every face gets the same gender" in err
    assert not list(chips.parent.glob("*_32.mat"))


def test_interval_is_kept_with_the_weights(database, weight_file, tmp_path, capsys):
    path = tmp_path / "w.hdf5"
    path.write_bytes(weight_file.read_bytes())
    out, _ = run(capsys, "-i", database, "--weight_file", path, "--level", "0.8", "--keep_interval")
    assert "intervals for 80 percent (halves of these pictures)" in out
    description, arrays = weights.read(path)
    assert description.interval_level == 0.8 and description.interval_quantiles.startswith("0 0.")
    for kept, before in zip(arrays, weights.read(weight_file)[1]):
        np.testing.assert_array_equal(kept, before)
    out, _ = run(capsys, "-i", database, "--weight_file", path, "--level", "0.8")
    assert "intervals for 80 percent (the weights' own rule) hold" in out
    options = ["-i", str(database), "--weight_file", str(path), "--level", "0.99"]
    out, _ = run(capsys, *options, "--json")
    assert json.loads(out)["weights"][0]["intervals"]["quantiles"] is None
    with pytest.raises(
        UserError,
        match="^--keep_interval: the pictures are too few for intervals that cover 0.99 of the",
    ):
        evaluate.main([*options, "--keep_interval"])


def test_table_of_labels_beside_a_folder(chips, weight_file, tmp_path, capsys):
    names = sorted(path.name for path in chips.iterdir())[:12]
    rows = [f"{name},{name.split('_')[0]},{'MF'[int(name.split('_')[1])]},here" for name in names]
    path = tmp_path / "labels.csv"
    path.write_text("file,age,gender,race\n" + "\n".join([*rows, "gone.jpg,30,F,here"]))
    options = ["-i", chips, "--labels", path, "--cropped", "--weight_file", weight_file, "--json"]
    out, err = run(capsys, *options)
    said = json.loads(out)
    assert (said["pictures"], said["part"]) == (12, "all")
    assert [group["name"] for group in said["weights"][0]["races"]] == ["here"]
    assert "pictures skipped: 1 (gone.jpg: No such file or directory)" in err


@pytest.mark.parametrize(
    "options, message",
    [
        (["--cropped"], "--columns and --cropped need --labels"),
        (["--labels", "l.csv", "--columns", "file"], "--columns takes two to four names"),
        (["--labels", "l.csv", "--suspects", "3"], "--suspects needs weights of all folds of a"),
    ],
)
def test_options_of_tables_that_do_not_fit(options, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        evaluate.get_args(["-i", "pictures", *options])
    assert message in capsys.readouterr().err


def test_faces_without_genders_have_ages_alone(tmp_path, tiny_weights, capsys):
    release = write_appa_real(tmp_path / "appa-real-release", 12)
    out, err = run(capsys, "-i", release, "--weight_file", tiny_weights[0], "--age_label", "real")
    assert f"the faces of {release} are cut differently (margin 0.4, linear) from those" in err
    assert out.splitlines()[0] == "12 pictures, all"
    assert out.splitlines()[-1].startswith("MAE Age: ")


def test_suspects_are_listed_by_the_weights_of_all_folds(
    database, weight_file, tiny_weights, tmp_path, capsys
):
    said, _ = weights.read(weight_file)
    paths = []
    for number in (1, 2):
        said.fold = f"{number}/2"
        paths.append(tmp_path / f"fold{number}.hdf5")
        weights.write(paths[-1], tiny_weights[1], said)
    command = ["-i", database, "--weight_file", *paths, "--suspects", "5"]
    out, _ = run(capsys, *command, "--output_dir", tmp_path / "out")
    assert out == f"5 of 70 pictures: suspects.csv, suspects.png in {tmp_path}/out\n"
    assert len((tmp_path / "out" / "suspects.csv").read_text().splitlines()) == 6
    with pytest.raises(SystemExit):
        run(capsys, *command)
    assert "--suspects needs --output_dir" in capsys.readouterr().err


def test_earlier_report_is_replaced_only_if_asked_for(
    database, weight_file, tiny_weights, tmp_path, capsys
):
    several = [tiny_weights[0], weight_file]
    (tmp_path / "bands.csv").write_text("precious")
    (tmp_path / "x" / "trained").mkdir(parents=True)
    (tmp_path / "x" / "trained" / "worst.png").write_text("precious")
    for folder, name, paths in (
        (tmp_path, "bands.csv", several[1:]),
        (tmp_path / "x" / "trained", "worst.png", several),
    ):
        output = folder if len(paths) == 1 else folder.parent
        command = ["-i", "none.mat", "--weight_file", *map(str, paths), "--output_dir", str(output)]
        with pytest.raises(UserError) as error:
            evaluate.main(command)
        assert str(error.value) == (
            f"--output_dir: {folder} holds {name}: add --overwrite to replace it, or give another "
            "folder"
        )
    (tmp_path / "races.csv").touch()
    command = ["-i", database, "--weight_file", weight_file, "--output_dir", tmp_path]
    run(capsys, *command, "--overwrite")
    assert (tmp_path / "bands.csv").read_text().startswith("group,pictures")
    with pytest.raises(SystemExit):
        run(capsys, "-i", database, "--overwrite")
    assert "--overwrite needs --output_dir" in capsys.readouterr().err


def test_refused_evaluation_leaves_nothing_behind(tmp_path, tiny_weights, weight_file):
    """Whether it is refused before the folder's database is made, or after."""
    chips = write_chips(tmp_path / "UTKFace", 3)
    said, _ = weights.read(weight_file)
    said.validation_split, said.test_split = 0.01, 0.01
    other = tmp_path / "other.hdf5"
    weights.write(other, tiny_weights[1], said)
    for path, options, message in (
        (tiny_weights[0], ["--part", "test"], "^--part: the weights do not record their split$"),
        (
            tiny_weights[0],
            ["--suspects", "5"],
            "^--suspects: the weights must be those of all fold",
        ),
        (other, ["--part", "test"], "^--part: the test part of the weights' split holds no pict"),
        (other, ["--keep_interval"], "^--part: the validation part of the weights' split holds no"),
    ):
        command = ["-i", str(chips), "--weight_file", str(path), *options]
        with pytest.raises(UserError, match=message):
            evaluate.main([*command, "--output_dir", str(tmp_path / "out")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["UTKFace", "other.hdf5"]


def test_pictures_that_were_skipped_are_named(tmp_path, tiny_weights, capsys):
    chips = write_chips(tmp_path / "UTKFace", 12)
    (chips / "20_0_0_1.jpg").write_bytes(b"no picture")
    command = ["-i", chips, "--weight_file", tiny_weights[0], "--output_dir", tmp_path / "out"]
    out, err = run(capsys, *command)
    assert out.startswith("12 pictures, all\n")
    assert "pictures skipped: 1 (20_0_0_1.jpg: it is damaged or not a picture)\n" in err
    table = (tmp_path / "out" / "UTKFace_32_skipped.csv").read_text().splitlines()
    assert table[1:] == ["20_0_0_1.jpg,it is damaged or not a picture"]
    assert not list((tmp_path / "out").glob("*.mat*"))


def test_mistakes_are_one_line(chips, database, tiny_weights, weight_file, tmp_path):
    other = write_database(tmp_path / "utk16.mat", chips, 16)
    for arguments, message in (
        (
            ["-i", other],
            "holds faces of 16 px, but the weights take 32: make it of that size, or",
        ),
        (["-i", "none.mat"], "none.mat is not a file: make a database"),
        (["-i", database, "--part", "test"], "^--part: the weights do not record their split"),
    ):
        with pytest.raises(UserError, match=message):
            evaluate.main([*map(str, arguments), "--weight_file", str(tiny_weights[0])])
