import cv2
import dlib
import numpy as np
import pytest

from age_gender import faces
from age_gender.command_line import UserError
from age_gender.detection import landmarks
from age_gender.training import embeddings
from helpers.pictures import write_chips, write_database


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of chips, their database, and the file of their embeddings; one chip is gone."""
    folder = tmp_path_factory.mktemp("embeddings")
    chips = write_chips(folder / "UTKFace", 20)
    database = write_database(folder / "utk.mat", chips)
    sorted(chips.iterdir())[7].unlink()
    embeddings.main(["-i", str(database), "--pictures", str(chips)])
    return chips, database, folder / "utk_embeddings.npz"


def test_chip_is_the_one_that_dlib_cuts_for_its_network(astronaut):
    (face,) = [each for each in faces.FaceFinder().find(astronaut) if each.score > 1]
    rgb = np.ascontiguousarray(astronaut[:, :, ::-1])
    points = landmarks.predictor()(rgb, face.rectangle())
    chip = dlib.get_face_chip(rgb, points, size=200, padding=landmarks.PADDING)
    expected = dlib.get_face_chip(rgb, points, size=150, padding=embeddings.PADDING)
    ours = embeddings.chip_of(chip[:, :, ::-1])
    assert ours.shape == expected.shape
    assert np.abs(ours.astype(int) - expected)[5:-5, 5:-5].mean() < 3  # of 255
    embedder = faces.Embedder()
    (here,) = embedder.of_chips([ours])
    (there,) = embedder(astronaut, [face])
    assert np.linalg.norm(here - there) < 0.15  # 0.6 is where another person begins


def test_file_has_an_embedding_of_every_face_that_is_there(made, capsys):
    chips, database, path = made
    with np.load(path) as file:
        described = file["descriptors"]
    assert described.shape == (20, 128)
    assert [*np.flatnonzero(~described.any(1))] == [7]
    first = embeddings.chip_of(cv2.imread(str(min(chips.iterdir()))))
    (expected,) = faces.Embedder().of_chips([first])
    np.testing.assert_allclose(described[0], expected, atol=1e-3)


def test_targets_are_standardised_and_found_by_the_picture(made):
    from age_gender.data.database import FaceDatabase

    digests = FaceDatabase(made[1]).digests()
    numbers = embeddings.standardised(made[2], digests)
    known = np.delete(numbers, 7, 0).astype(float)
    np.testing.assert_allclose(known.mean(0), 0, atol=2e-3)
    np.testing.assert_allclose(known.std(0), 1, atol=2e-3)
    assert not numbers[7].any()
    turned = embeddings.standardised(made[2], [*digests[::-1], b"unknown"])
    np.testing.assert_array_equal(turned[:-1], numbers[::-1])
    assert not turned[-1].any()


def test_mistakes_are_one_line(made, tmp_path):
    chips, database, path = made
    options = ["-i", str(database), "--pictures"]
    for arguments, message in (
        ([*options, str(chips)], f"{path} exists: --overwrite replaces it"),
        ([*options, str(tmp_path), "-o", str(tmp_path / "d.npz")], "does not exist: give the fold"),
        ([*options, str(chips), "-o", str(tmp_path / "no" / "d.npz")], "no is not a folder: make"),
    ):
        with pytest.raises(UserError, match=message):
            embeddings.main(arguments)
    (tmp_path / "torn.npz").write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="torn.npz is not a file of embeddings"):
        embeddings.standardised(tmp_path / "torn.npz", [b""])
    with pytest.raises(UserError, match="has no embedding of these faces"):
        embeddings.standardised(path, [b"unknown"])
