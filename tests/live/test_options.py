import pytest

from age_gender import weights
from age_gender.command_line import Parser
from age_gender.live import options


def parse(*arguments):
    parser = Parser()
    options.add(parser)
    args = parser.parse_args(arguments)
    options.check(parser, args)
    return args


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--cropped"], "--cropped needs pictures"),
        (["--camera_size", "big"], "argument --camera_size: 'big' is no size: give one such as"),
        (
            ["--image_dir", "a", "--camera_size", "90x90"],
            "--camera_size and --image_dir exclude each other",
        ),
        (["--image_dir", "a", "--no-mirror"], "--mirror and --image_dir exclude each other"),
        (
            ["--label", "age,sex"],
            "argument --label: 'sex' is no part of a label: choose from number",
        ),
        (["--label", ""], "argument --label: '' is no part of a label"),
        (["--age_offset", "x"], "argument --age_offset: must be a number from -100 to 100"),
        (["--image_dir", "a", "--cropped", "--margin", "1"], "exclude each other: nothing is cut"),
    ],
)
def test_contradiction_is_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit):
        parse(*arguments)
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


@pytest.mark.parametrize(
    "arguments, label, interval",
    [
        ([], None, False),
        (["--interval"], None, True),
        (["--label", "age, gender"], ["age", "gender"], False),
        (["--label", "age", "--label", "number"], ["age", "number"], False),
        (["--label", "gender", "--interval"], ["gender", "interval"], True),
        (["--label", "interval"], ["interval"] * 2, True),
    ],
)
def test_parts_of_labels_and_the_interval_go_together(arguments, label, interval):
    args = parse(*arguments)
    assert (args.label, args.interval) == (label, interval)
