import os

import cv2
import numpy as np
import pytest

from age_gender import listing
from age_gender.command_line import UserError

JPEG = cv2.imencode(".jpg", np.full((20, 20, 3), 90, np.uint8))[1].tobytes()


def put(path, content=JPEG):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(found):
    return [found.name(path) for path in found.pictures]


def test_pictures_are_found_in_any_depth_whatever_their_names(tmp_path):
    wanted = ["A.JPG", "a b.jfif", "a.mpo", "deep/er/ä ö.png", "deep/日本", ".hidden.jpg"]
    for name in wanted:
        put(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    put(tmp_path / "folder.png" / "in.jpg")
    found = listing.list_pictures(tmp_path)
    assert sorted(names(found)) == sorted([*wanted, "folder.png/in.jpg"])
    assert found.pictures == sorted(found.pictures) and found.left_out == []


def test_all_else_is_left_out_with_its_reason(tmp_path):
    put(tmp_path / "face.jpg")
    put(tmp_path / "notes.txt", b"text")
    put(tmp_path / "._face.jpg", b"\0\5\x16\7")
    put(tmp_path / "empty", b"")
    put(tmp_path / "clip.mp4", b"\0\0\0\x18ftypmp42")
    put(tmp_path / "old" / "results.csv", b"file,face")
    found = listing.list_pictures(tmp_path)
    assert names(found) == ["face.jpg"]
    assert [(found.name(path), reason) for path, reason in found.left_out] == [
        ("._face.jpg", "not a picture"),
        ("clip.mp4", "a video"),
        ("empty", "empty"),
        ("notes.txt", "not a picture"),
        ("old/results.csv", "output of this program"),
    ]
    assert listing.counted(reason for _, reason in found.left_out) == (
        "2 not a picture, 1 a video, 1 empty, 1 output of this program"
    )


def test_links_to_folders_and_to_nowhere_are_not_followed(tmp_path):
    put(tmp_path / "in" / "face.jpg")
    try:
        os.symlink(".", tmp_path / "in" / "loop")
    except OSError:
        pytest.skip("no links can be made here")
    os.symlink("face.jpg", tmp_path / "in" / "link.jpg")
    os.symlink("gone.jpg", tmp_path / "in" / "broken.jpg")
    os.symlink("round.jpg", tmp_path / "in" / "round.jpg")
    found = listing.list_pictures(tmp_path / "in")
    assert names(found) == ["face.jpg", "link.jpg"]
    assert [reason for _, reason in found.left_out] == [
        "a broken link",
        "a link to a folder",
        "a broken link",
    ]


def test_fifo_is_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no FIFO can be made here")
    put(tmp_path / "face.jpg")
    os.mkfifo(tmp_path / "fifo.jpg")
    found = listing.list_pictures(tmp_path)
    assert found.left_out == [(tmp_path / "fifo.jpg", "not a regular file")]


def test_output_folder_is_left_out_with_all_its_files(tmp_path):
    put(tmp_path / "face.jpg")
    put(tmp_path / "out" / "deep" / "drawn.jpg")
    found = listing.list_pictures(tmp_path, exclude=tmp_path / "out")
    assert names(found) == ["face.jpg"]
    assert found.left_out == [(tmp_path / "out" / "deep" / "drawn.jpg", "output of this program")]
    assert names(listing.list_pictures(tmp_path / "out" / "deep", tmp_path / "out")) == [
        "drawn.jpg"
    ]


def test_folder_that_may_not_be_opened_is_left_out(tmp_path, monkeypatch):
    put(tmp_path / "face.jpg")
    put(tmp_path / "shut" / "face.jpg")
    real = os.scandir

    def scandir(name):
        if str(name).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return real(name)

    monkeypatch.setattr(os, "scandir", scandir)
    found = listing.list_pictures(tmp_path)
    reason = "a folder that cannot be opened: Permission denied"
    assert found.left_out == [(tmp_path / "shut", reason)]
    with pytest.raises(UserError) as error:
        listing.list_pictures(tmp_path / "shut")
    assert str(error.value) == f"{tmp_path / 'shut'} cannot be opened: Permission denied"


def test_folder_without_pictures_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    put(tmp_path / "texts" / "notes.txt", b"no picture")
    for name, message in {
        "none": "none does not exist: give a folder with pictures",
        "texts/notes.txt": "texts/notes.txt is not a folder: give a folder with pictures",
        "empty": "empty holds no pictures",
        "texts": "texts holds no pictures (1 not a picture)",
    }.items():
        with pytest.raises(UserError) as error:
            listing.list_pictures(tmp_path / name)
        assert str(error.value) == f"{tmp_path}/{message}"
