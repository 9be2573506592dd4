import csv
import json

import cv2
import numpy as np
import pytest

from age_gender import estimator, face_estimator, faces, pictures, weights
from age_gender.face_estimator import Recipe
from age_gender.output import folder as output_folder
from wide_resnet import WideResNet


def estimate(folder, output, tiny_weights, **options):
    paths = pictures.list_pictures(folder, exclude=output)
    return output_folder.estimate_folder(
        folder, paths, output, Recipe.of(tiny_weights[0], **options)
    )


@pytest.fixture
def folder(tmp_path, astronaut):
    """A face, the same in a folder with a name of its own, a picture without, a broken one."""
    folder = tmp_path / "pictures"
    (folder / "süb dir").mkdir(parents=True)
    cv2.imwrite(str(folder / "a face.jpg"), astronaut)
    (folder / "süb dir" / "日本.tiff").write_bytes(cv2.imencode(".tiff", astronaut)[1])
    cv2.imwrite(str(folder / "none.png"), np.full((200, 300, 3), 90, np.uint8))
    (folder / "broken.jpg").write_bytes(b"broken")
    return folder


def test_folder_gives_tables_pictures_and_a_line_for_each_face(
    folder, tmp_path, tiny_weights, capsys
):
    output = tmp_path / "out"
    counts = estimate(folder, output, tiny_weights)
    assert str(counts) == "4 pictures, 2 faces, 1 without a face, 1 unreadable"
    out, err = capsys.readouterr()
    assert "skipped broken.jpg: it is damaged or not a picture" in err
    with open(output / "results.csv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert [row["file"] for row in rows] == ["a face.jpg", "süb dir/日本.tiff"]
    lines = (output / "results.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    for row, record in zip(rows, records):
        assert {key: str(value) for key, value in record.items()} == row
        assert record["face"] == 1 and record["score"] > 0
        assert record["age"] == round(record["age"], 1) and 0 <= record["age"] <= 100
        assert record["gender"] in "MF" and 0.5 <= record["probability"] <= 1
        assert record["left"] >= 0 and record["left"] + record["width"] <= 512
    first = records[0]
    assert out.splitlines() == [
        f"a face.jpg  face 1  box {first['left']} {first['top']} {first['width']} "
        f"{first['height']}  score {first['score']:.2f}  {first['gender']} "
        f"{first['probability']:.2f}  age {first['age']}",
        "none.png  no face",
        out.splitlines()[2],
    ]
    assert out.splitlines()[2].startswith("süb dir/日本.tiff  face 1  box ")
    names = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert names == {
        "a face.jpg",
        "none.png",
        "results.csv",
        "results.jsonl",
        "süb dir/日本.tiff.png",
    }
    drawn = pictures.read_picture(output / "a face.jpg")
    assert drawn.shape == (512, 512, 3)


def test_many_faces_go_through_the_network_in_batches(tmp_path, tiny_weights, monkeypatch, capsys):
    folder = tmp_path / "chips"
    folder.mkdir()
    rng = np.random.default_rng(0)
    chips = rng.integers(0, 256, (150, 40, 40, 3), dtype=np.uint8)
    for number, chip in enumerate(chips):
        cv2.imwrite(str(folder / f"{number:03d}.png"), chip)
    sizes = []
    model = tiny_weights[1]

    class Counting(estimator.Estimator):
        def __call__(self, faces):
            sizes.append(len(faces))
            return super().__call__(faces)

    monkeypatch.setattr(face_estimator, "Estimator", Counting)
    counts = estimate(folder, tmp_path / "out", tiny_weights, cropped=True)
    assert counts.faces == 150 and sizes == [64, 64, 22]
    resized = np.stack([cv2.resize(chip, (32, 32)) for chip in chips]).astype(np.float32)
    expected = model.predict(resized, verbose=0)[1] @ np.arange(101)
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["file"] for record in records] == [f"{number:03d}.png" for number in range(150)]
    np.testing.assert_allclose([record["age"] for record in records], expected, atol=0.051)
    assert all(record["score"] is None and record["width"] == 40 for record in records)


def test_stopped_run_keeps_rows_under_another_name_and_says_so(
    folder, tmp_path, tiny_weights, monkeypatch
):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(face_estimator, "Estimator", interrupted)
    output = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt) as stop:
        estimate(folder, output, tiny_weights)
    assert str(stop.value) == (
        f"stopped after 0 of 4 pictures: finished pictures are in {output}, their rows in "
        "results.csv.part; the same command starts over"
    )
    assert sorted(path.name for path in output.iterdir()) == [
        "results.csv.part",
        "results.jsonl.part",
    ]


def test_pictures_never_take_each_others_names(tmp_path):
    names = ["a.bmp", "a.bmp.png", "a.bmp_.png", "a.jpg", "b.tiff"]
    targets = output_folder._targets([tmp_path / name for name in names], tmp_path, tmp_path / "o")
    assert [targets[tmp_path / name].name for name in names] == [
        "a.bmp__.png",
        "a.bmp.png",
        "a.bmp_.png",
        "a.jpg",
        "b.tiff.png",
    ]


def test_cropped_pictures_are_resized_by_the_filter_of_the_weights(tmp_path):
    chip = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "chip.png"), chip)
    for resize, flag in (("linear", cv2.INTER_LINEAR), ("area", cv2.INTER_AREA)):
        description = weights.Description(WideResNet(32), resize=resize)
        recipe = Recipe(None, description, faces.Cut.of(description), cropped=True)
        output_folder._prepare(recipe)
        _, (cut,), _ = output_folder._examine(tmp_path / "chip.png")
        np.testing.assert_array_equal(cut, cv2.resize(chip, (32, 32), interpolation=flag))
