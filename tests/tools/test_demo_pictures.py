import cv2

from tools import demo_pictures


def test_two_pictures_are_put_into_the_folder(tmp_path):
    demo_pictures.main([str(tmp_path / "new")])
    shapes = {path.name: cv2.imread(str(path)).shape for path in (tmp_path / "new").iterdir()}
    assert shapes == {"astronaut.png": (512, 512, 3), "coffee.png": (400, 600, 3)}
