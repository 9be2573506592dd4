import pytest
import tensorflow as tf

from age_gender.command_line import UserError
from age_gender.conversion import parity, saved_model


@pytest.mark.parametrize("name, half", [("local", True), ("global", False)])
def test_tensorflow_says_the_same_whatever_the_number_of_faces(network, tmp_path, name, half):
    model, faces, outputs = network(name)
    saved_model.write(tmp_path / "a", model, half, {"image_size": 32})
    predict = saved_model.load(tmp_path / "a")
    for count in (1, 3):
        found = predict(faces[:count])
        ours = {name: value[:count] for name, value in outputs.items()}
        difference = parity.difference(ours, found)
        assert difference.probability < parity.TOLERANCE[half]
        assert difference.years < (0.1 if half else 1e-3)
    assert saved_model.metadata(tmp_path / "a") == {"image_size": 32}
    kinds = {each.dtype for each in tf.saved_model.load(str(tmp_path / "a")).trainable}
    assert kinds == {tf.float16 if half else tf.float32}


def test_folder_that_cannot_be_written_is_one_line(network, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="^.*/file/a: .*/file is not a directory$"):
        saved_model.write(tmp_path / "file" / "a", network("local")[0], False, {})
