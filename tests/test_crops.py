import cv2
import numpy as np
import pytest

from age_gender import crops
from age_gender.faces import FaceFinder, with_margin

PORTRAITS = ("biden.jpg", "obama.jpg", "obama2.jpg")


@pytest.fixture(scope="module")
def finder():
    return FaceFinder("high")


def write(folder, images):
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder, [f"{number}.png" for number in range(len(images))]


@pytest.mark.parametrize("side", [100, 200, 300])
def test_cut_faces_are_no_whole_photographs(tmp_path, astronaut, finder, side):
    face = finder.find(astronaut)[0]
    cuts = [with_margin(astronaut, face, margin, side) for margin in (0.2, 0.4, 0.6, 1)]
    cuts.append(finder.aligned(astronaut, face, side))
    assert crops.whole_photographs(*write(tmp_path, cuts)) == ([], [], 5)


def test_whole_photographs_are_warned_of_with_names(tmp_path, astronaut, capsys):
    folder, names = write(tmp_path, [astronaut, astronaut[:, ::-1]])
    (folder / "damaged.jpg").write_bytes(b"no picture")
    names.append("damaged.jpg")
    crops.warn_of_whole_photographs(folder, names, "cut them")
    assert capsys.readouterr().err == (
        "warning: of 2 pictures that were tried, those look like whole photographs, not like faces "
        "that are cut out: 2 (0.png, 1.png): cut them\n"
    )


def test_pictures_without_faces_are_warned_of_where_there_are_several(tmp_path, capsys):
    thin, plain = np.zeros((1, 900, 3), np.uint8), np.full((200, 300, 3), 90, np.uint8)
    folder, names = write(tmp_path, [thin, plain, plain, plain, plain])
    crops.warn_of_whole_photographs(folder, names[1:], "cut them")
    assert capsys.readouterr().err == ""
    crops.warn_of_whole_photographs(folder, names, "cut them")
    assert capsys.readouterr().err == (
        "warning: of 5 pictures that were tried, those show no face at all: 5 (0.png, 1.png, "
        "2.png, ...): cut them\n"
    )


def test_small_pictures_no_pictures_and_a_rare_exception_say_nothing(
    tmp_path, astronaut, finder, capsys
):
    crops.warn_of_whole_photographs(tmp_path, [], "")
    small = cv2.resize(astronaut, (90, 90))
    crops.warn_of_whole_photographs(*write(tmp_path, [small]), "")
    cut = with_margin(astronaut, finder.find(astronaut)[0], 0.4, 100)
    crops.warn_of_whole_photographs(*write(tmp_path, [astronaut, *[cut] * 9]), "")
    assert capsys.readouterr().err == ""


def test_sample_of_many_is_taken_evenly(tmp_path, monkeypatch):
    looked_at = []

    def read(path):
        looked_at.append(path.name)
        raise OSError

    monkeypatch.setattr(crops, "read_picture", read)
    crops.whole_photographs(tmp_path, [str(number) for number in range(1000)])
    assert len(looked_at) == crops.SAMPLE and looked_at[0] == "0" and looked_at[-1] == "999"


def test_real_chips_draw_no_warning_and_real_portraits_do(shared, tmp_path, capsys):
    import tarfile

    with tarfile.open(shared / "utkface_1.tar") as tar:
        for member in tar:
            if member.name.endswith(".jpg"):
                name = tmp_path / member.name.rpartition("/")[2]
                name.write_bytes(tar.extractfile(member).read())
            if len(names := sorted(tmp_path.glob("*.jpg"))) == 60:
                break
    crops.warn_of_whole_photographs(tmp_path, [str(path) for path in names], "")
    assert capsys.readouterr().err == ""
    crops.warn_of_whole_photographs(shared / "pictures", PORTRAITS, "cut them")
    assert "of 3 pictures that were tried, those look like whole" in capsys.readouterr().err
