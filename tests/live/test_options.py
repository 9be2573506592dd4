import cv2
import numpy as np
import pytest

from age_gender import weights
from age_gender.command_line import Parser, UserError
from age_gender.live import options as face_options


def parsed(*arguments):
    parser = Parser()
    face_options.add(parser)
    args = parser.parse_args(list(map(str, arguments)))
    face_options.check(parser, args)
    return args


def test_options_become_pictures_and_a_job(tmp_path, tiny_weights):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((9, 9, 3), np.uint8))
    common = ("--weight_file", tiny_weights[0], "--age_offset", "-5")
    session = face_options.open_session(parsed("--image_dir", tmp_path, "--cropped", *common))
    assert session.paths == [tmp_path / "a.png"] and not session.job.follow and session.job.cropped
    assert session.job.age_offset == -5 and session.job.interval is None
    assert (session.job.cut.crop, session.job.cut.size) == ("aligned", 32)
    session = face_options.open_session(parsed("--margin", "0.4", *common))
    assert session.paths is None and session.job.follow and session.job.cut.margin == 0.4


def test_interval_is_that_of_the_weights(tmp_path, tiny_weights):
    path = tmp_path / "weights.hdf5"
    path.write_bytes(tiny_weights[0].read_bytes())
    args = parsed("--weight_file", path, "--interval")
    with pytest.raises(UserError, match="carries none: evaluate.py --keep_interval writes it"):
        face_options.open_session(args)
    weights.keep_interval(path, 0.9, 1.5)
    assert face_options.open_session(args).job.interval == 1.5


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
