import cv2
import numpy as np
import pytest
from PIL import Image

from age_gender.command_line import UserError
from age_gender.live.inputs import open_inputs
from helpers.pictures import write_video

PICTURE = np.full((40, 50, 3), 90, np.uint8)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder: a picture, two folders of one name with one of one name, a video."""
    for name in ("party.jpg", "holiday/a.jpg", "2024/holiday/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), PICTURE)
    write_video(tmp_path / "clip.avi", PICTURE, 3)
    (tmp_path / "notes.txt").write_text("text")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(inputs):
    listing = inputs.listing
    pictures = [] if listing is None else [listing.name(path) for path in listing.pictures]
    return pictures, [name for name, _ in inputs.sources]


def test_pictures_folders_videos_cameras_and_streams_come_in_the_order_given(here):
    inputs = open_inputs(["holiday", "clip.avi", "party.jpg", "1", "rtsp://a:b@host/x", "2024"])
    assert names(inputs) == (
        ["holiday/a.jpg", "party.jpg", "2024/holiday/a.jpg"],
        ["clip.avi", "camera 1", "stream rtsp://host/x"],
    )
    assert names(open_inputs(["2024/holiday"])) == (["a.jpg"], [])
    assert names(open_inputs(["holiday", "2024/holiday"])) == (
        ["holiday/a.jpg", "2024/holiday/a.jpg"],
        [],
    )
    assert names(open_inputs([(here / "party.jpg").as_uri(), "hol*"]))[0] == [
        *("party.jpg", "holiday/a.jpg")
    ]


def test_input_that_is_given_twice_is_taken_once(here, capsys):
    listing = open_inputs(["party.jpg", "./party.jpg", "holiday", "holiday/a.jpg"]).listing
    assert [listing.name(path) for path in listing.pictures] == ["party.jpg", "holiday/a.jpg"]
    expected = "given twice, taken once: 2 (party.jpg, holiday/a.jpg)\n"
    assert capsys.readouterr().err == expected
    assert len(open_inputs(["clip.avi", "./clip.avi"]).sources) == 1


@pytest.mark.parametrize(
    "texts, message",
    [
        (["party.jgp"], "party.jgp does not exist: did you mean party.jpg?"),
        (["holiday/b.png"], "holiday/b.png does not exist: give a picture, a folder, a video, a "),
        (["x", "notes.txt", "y"], "2 inputs do not exist: x, y; notes.txt holds no picture and no"),
        (["a", "b", "c", "d", "e", "f"], "6 inputs do not exist: a, b, c, d, e, ..."),
        (["*.bmp"], "*.bmp does not exist"),
        (["ftp://host/a.jpg"], "ftp:// is no address that can be read"),
        (["broken"], "broken leads nowhere"),
    ],
)
def test_all_that_is_missing_is_named_at_once(here, texts, message):
    if "broken" in texts:
        try:
            (here / "broken").symlink_to("gone")
        except OSError:
            pytest.skip("no links can be made here")
    with pytest.raises(UserError) as error:
        open_inputs(texts)
    assert str(error.value).startswith(message)


def test_file_that_may_not_be_opened_is_named(here, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("age_gender.system.open_without_waiting", refuse)
    with pytest.raises(UserError, match=r"^2 inputs do not open: Permission denied: p"):
        open_inputs(["party.jpg", "clip.avi"])


def test_contents_decide_and_animations_are_videos(here):
    frames = [Image.new("RGB", (50, 40), colour) for colour in ("red", "blue")]
    for name in ("moving.gif", "moving.png"):
        frames[0].save(here / name, save_all=True, append_images=frames[1:])
    frames[0].save(here / "still.gif")
    (here / "party.jpg").rename(here / "party")
    (here / "clip.avi").rename(here / "2024" / "5")
    inputs = open_inputs(["party", "moving.gif", "still.gif", "moving.png", "2024/5"])
    assert names(inputs) == (["party", "still.gif"], ["moving.gif", "moving.png", "2024/5"])
