import cv2
import numpy as np
import pytest

from age_gender import weights
from age_gender.command_line import Parser, UserError
from age_gender.live import options


def parsed(*arguments):
    parser = Parser()
    options.add(parser)
    args = parser.parse_args(list(map(str, arguments)))
    options.check(parser, args)
    return args


def test_options_become_an_input_and_a_recipe(tmp_path, tiny_weights):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    common = ("--weight_file", tiny_weights[0], "--age_offset", "-5")
    session = options.open_session(parsed("--image_dir", tmp_path, "--cropped", *common))
    assert session.paths == [tmp_path / "a.png"] and session.source is None
    recipe = session.recipe
    assert recipe.cropped and recipe.age_offset == -5 and recipe.interval_factor is None
    assert (recipe.cut.crop, recipe.cut.size) == ("aligned", 32)
    session = options.open_session(parsed("--margin", "0.4", *common))
    assert session.paths is None and session.source.live and session.recipe.cut.margin == 0.4


def test_interval_is_that_of_the_weights(tmp_path, tiny_weights):
    path = tmp_path / "weights.hdf5"
    path.write_bytes(tiny_weights[0].read_bytes())
    args = parsed("--weight_file", path, "--interval")
    with pytest.raises(UserError, match="has no age intervals: evaluate.py --keep_interval"):
        options.open_session(args)
    weights.keep_interval(path, 0.9, 1.5)
    assert options.open_session(args).recipe.interval_factor == 1.5


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--cropped"], "--cropped needs --image_dir"),
        (["--age_offset", "x"], "argument --age_offset: must be a number from -100 to 100"),
        (["--image_dir", "a", "--cropped", "--margin", "1"], "exclude each other: nothing is cut"),
    ],
)
def test_contradiction_is_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit):
        parsed(*arguments)
    assert message in capsys.readouterr().err


def test_margin_against_the_weights_is_warned_of():
    aligned = weights.Description(crop="aligned", margin=None)
    assert options.margin_warning(aligned, None) is None
    assert options.margin_warning(weights.Description(), 0.4) is None
    assert options.margin_warning(aligned, 0.4) == (
        "warning: --margin 0.4 is used, but these weights were trained on aligned faces: leave "
        "--margin out for better estimates"
    )
    assert "trained on margin 0.4" in options.margin_warning(weights.Description(), 0.1)


def test_library_messages_get_the_name_of_their_option(tmp_path):
    for arguments, message in {
        ("--image_dir", tmp_path / "no"): f"--image_dir: {tmp_path}/no does not exist: give a",
        ("--source", tmp_path / "no.avi"): f"--source: {tmp_path}/no.avi does not exist: give a",
        ("--weight_file", tmp_path): f"--weight_file: {tmp_path} is a folder: name a file in it",
    }.items():
        with pytest.raises(UserError) as error:
            options.open_session(parsed(*arguments))
        assert str(error.value).startswith(message)
