import numpy as np
import pytest

from age_gender.command_line import UserError
from age_gender.conversion import parity
from age_gender.faces import Cut


def test_faces_are_real_ones_and_noise():
    faces, said = parity.reference_faces(Cut("aligned", None, 32, "area"))
    assert faces.shape == (16, 32, 32, 3) and faces.dtype == np.uint8
    assert said == "6 faces (Grace Hopper, Eileen Collins; mirrored, darkened) and 10 of noise"
    np.testing.assert_array_equal(faces[2], faces[0][:, ::-1])
    assert len({face.tobytes() for face in faces}) == 16


def test_one_portrait_will_do_and_none_is_one_line(monkeypatch):
    cut = Cut("margin", 0.4, 32, "area")
    here = parity.PORTRAITS["Grace Hopper"]
    monkeypatch.setattr(
        parity, "PORTRAITS", {"Nobody": ("not_installed", "a.jpg"), "G. Hopper": here}
    )
    assert parity.reference_faces(cut)[1] == (
        "3 faces (G. Hopper; mirrored, darkened) and 10 of noise"
    )
    monkeypatch.setattr(parity, "PORTRAITS", {"Nobody": ("cv2", "no such file")})
    with pytest.raises(UserError) as error:
        parity.reference_faces(cut)
    assert str(error.value) == (
        "there is no face to compare on: matplotlib has one, pip install -r requirements.txt"
    )


def test_difference_is_the_largest_of_all_faces_and_probabilities():
    ours = {
        "age": np.array([30.0, 40.0]),
        "age_probabilities": np.zeros((2, 101)),
        "gender_probabilities": np.zeros((2, 2)),
    }
    theirs = {name: value.copy() for name, value in ours.items()}
    theirs["age"][1] = 40.5
    theirs["age_probabilities"][1, 7] = 0.02
    theirs["gender_probabilities"][0, 1] = -0.03
    found = parity.difference(ours, theirs)
    assert found == parity.Difference(0.03, 0.5)
    assert str(found) == "3.0e-02 in a probability, 5.0e-01 years"
    theirs["age_probabilities"][0, 0] = np.nan
    assert np.isnan(parity.difference(ours, theirs).probability)
