from pathlib import Path

import pytest

from age_gender.training.options import OLD_NAMES, get_args


def test_embeddings_have_an_old_spelling_that_help_does_not_show(capsys):
    for names in OLD_NAMES.items():
        new, old = (get_args(["-i", "x.mat", name, "3"]).__dict__ for name in names)
        assert new == old
    with pytest.raises(SystemExit):
        get_args(["--help"])
    assert "descriptor" not in capsys.readouterr().out


def test_defaults_are_the_originals():
    args = get_args(["-i", "x.mat"])
    assert (args.batch_size, args.nb_epochs, args.lr, args.opt) == (32, 30, 0.1, "sgd")
    assert (args.depth, args.width, args.validation_split, args.aug) == (16, 8, 0.1, False)
    assert str(args.output_path) == "checkpoints"
    assert args.input == [Path("x.mat")] and args.weight_file is None
    assert (args.schedule, args.label_smoothing_years, args.ema) == ("step", 0, 0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--depth", "12"], "argument --depth: must be 10, 16, 22, 28, ... (6 n + 4): 12"),
        (["--fold", "4/3"], "argument --fold: must be like 2/5, received '4/3'"),
        (["--fold", "x"], "argument --fold: must be like 2/5, received 'x'"),
        (["--lr", "-1"], "argument --lr: must be a number from 1e-09 up, received '-1'"),
        (["--nb_epochs", "x"], "must be a whole number from 1 to 9999, received 'x'"),
        (["--validation_split", "0"], "argument --validation_split: must be above 0"),
        (["--heads_only"], "argument --heads_only: needs --weight_file, and no --embeddings"),
        (["--teacher_cache", "a.npz"], "--teacher_cache: needs --teacher, whose answers it keeps"),
        (
            ["--teacher", "a.hdf5", "--teacher_weight", "1.5"],
            "argument --teacher_weight: must be a number from 0 to 1, received '1.5'",
        ),
        (
            ["--validation_split", "0.6", "--test_split", "0.5"],
            "--validation_split and --test_split leave no picture for training",
        ),
    ],
)
def test_wrong_option_is_one_line_that_names_it(capsys, arguments, message):
    with pytest.raises(SystemExit) as error:
        get_args(["-i", "x.mat", *arguments])
    assert error.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(message)


def test_several_inputs_are_taken():
    args = get_args(["--input", "a.mat", "b", "--aug"])
    assert args.input == [Path("a.mat"), Path("b")] and args.aug
