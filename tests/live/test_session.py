import cv2
import numpy as np
import pytest

from age_gender import weights
from age_gender.command_line import Parser, UserError
from age_gender.estimates import Quantiles
from age_gender.live import options
from age_gender.live.session import open_session
from helpers.pictures import write_video

RULE = Quantiles(((0, 0.05, 0.95),))  # of age intervals


def parsed(*arguments):
    parser = Parser()
    options.add(parser)
    return parser.parse_args(list(map(str, arguments)))


def test_options_become_an_input_and_a_recipe(tmp_path, tiny_weights):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    common = ("--weight_file", tiny_weights[0], "--age_offset", "-5")
    session = open_session(parsed("--image_dir", tmp_path, "--cropped", *common))
    assert session.listing.pictures == [tmp_path / "a.png"] and session.source is None
    recipe = session.recipe
    assert recipe.cropped and recipe.age_offset == -5 and recipe.interval_factor is None
    assert (recipe.cut.crop, recipe.cut.size) == ("aligned", 32)
    session = open_session(parsed("--margin", "0.4", *common))
    assert session.listing is None and session.source.live and session.recipe.cut.margin == 0.4


def test_whole_photographs_that_are_called_cropped_are_warned_of(pictures, tiny_weights, capsys):
    options = ("--image_dir", pictures, "--weight_file", tiny_weights[0])
    open_session(parsed(*options))
    assert capsys.readouterr().err == ""
    open_session(parsed(*options, "--cropped"))
    assert capsys.readouterr().err == (
        "warning: of 2 pictures that were tried, those look like whole photographs, not like faces "
        "that are cut out: 1 (1.png): without --cropped faces are searched for\n"
    )


def test_interval_is_that_of_the_weights(tmp_path, tiny_weights):
    path = tmp_path / "weights.hdf5"
    path.write_bytes(tiny_weights[0].read_bytes())
    args = parsed("--weight_file", path, "--interval")
    with pytest.raises(UserError, match="has no age intervals: evaluate.py --keep_interval"):
        open_session(args)
    weights.keep_interval(path, 0.9, RULE)
    assert open_session(args).recipe.interval_factor == RULE


def test_library_messages_get_the_name_of_their_option(tmp_path):
    for arguments, message in {
        ("--image_dir", tmp_path / "no"): f"--image_dir: {tmp_path}/no does not exist: give a",
        ("--source", tmp_path / "no.avi"): f"--source: {tmp_path}/no.avi does not exist: give a",
        ("--weight_file", tmp_path): f"--weight_file: {tmp_path} is a folder: name a file in it",
    }.items():
        with pytest.raises(UserError) as error:
            open_session(parsed(*arguments))
        assert str(error.value).startswith(message)


def test_camera_is_mirrored_in_the_window_and_may_be_asked_for_a_size(tmp_path, tiny_weights):
    common = ("--weight_file", tiny_weights[0])
    clip = write_video(tmp_path / "clip.avi", np.zeros((64, 64, 3), np.uint8), 3)
    for source, mirrored in [("1", True), ("rtsp://host/path", False), (clip, False)]:
        session = open_session(parsed("--source", source, *common))
        assert session.mirror(None) == mirrored
        assert session.mirror(True) and not session.mirror(False)
    assert open_session(parsed("--camera_size", "1280x720", *common)).source.size == (1280, 720)
    with pytest.raises(UserError, match="--camera_size: .*clip.avi is no camera"):
        open_session(parsed("--camera_size", "1280x720", "--source", clip, *common))
