import dataclasses
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from age_gender.estimates import Spread
from age_gender.face_estimator import Recipe
from age_gender.live import worker as worker_module
from age_gender.live.analyst import Analysis
from age_gender.live.worker import Worker
from age_gender.pictures import read_picture


@pytest.fixture
def recipe(tiny_weights):
    return Recipe.of(tiny_weights[0])


def test_face_is_tracked_and_averaged(recipe, astronaut):
    worker = Worker(recipe)
    rng = np.random.default_rng(0)
    searched = []
    finder = worker._estimator.finder
    find = finder.find_in_frame
    finder.find_in_frame = lambda image, known: searched.append(1) or find(image, known)
    singles = []
    for step in range(12):
        moved = np.roll(astronaut, 3 * step, 1)
        noisy = np.clip(moved + rng.normal(0, 20, moved.shape), 0, 255).astype(np.uint8)
        (seen,) = worker.analyse(step / 20, noisy)
        assert seen.identity == 1 and seen.embedding is None
        assert abs(seen.face.left + seen.face.width / 2 - 221 - 3 * step) < 12
        singles.append(seen.single.age)
    assert 1 <= len(searched) <= 4  # the others were found around their last box
    assert min(singles) < seen.estimate.age < max(singles)
    assert seen.estimate != seen.single
    worker.forget()
    assert worker.analyse(1.0, astronaut)[0].identity == 1
    assert worker.analyse(1.1, np.zeros_like(astronaut)) == []


def test_face_that_the_detector_loses_is_followed_and_comes_back(recipe, astronaut, monkeypatch):
    monkeypatch.setattr(worker_module, "clock", SimpleNamespace(perf_counter=lambda: 0.0))
    worker = Worker(recipe)
    covered = astronaut.copy()
    covered[110:160, 180:260] = 90  # nose and mouth
    gone = cv2.GaussianBlur(astronaut, (0, 0), 40)
    found = []
    for step in range(30):
        image = covered if 5 <= step < 15 else gone if 20 <= step < 25 else astronaut
        found.append(worker.analyse(step / 20, image, embed=step == 10))
    assert {each.identity for faces in found for each in faces} == {1}
    assert [len(faces) for faces in found[:20]] == [1] * 20
    assert sum(map(len, found[20:25])) <= 1  # no box stays where nothing is
    assert len(found[29]) == 1
    seen, followed = found[4][0], found[10][0]
    assert seen.detected and not followed.detected
    assert followed.face.score is None and followed.embedding is None
    assert followed.face.overlap(seen.face) > 0.8
    assert followed.estimate == followed.single == found[14][0].estimate
    assert found[15][0].detected
    assert Analysis(None, found[10]).detected == []


def test_pictures_are_not_tracked_and_ages_are_offset(recipe, astronaut):
    recipe = dataclasses.replace(recipe, interval_factor=Spread(1.0))
    (plain,) = Worker(recipe, track=False).analyse(0.0, astronaut)
    recipe = dataclasses.replace(recipe, age_offset=-5.0)
    (later,) = Worker(recipe, track=False).analyse(0.0, astronaut)
    assert plain.identity == 0 and plain.estimate == plain.single
    assert plain.estimate.interval is not None
    assert later.estimate == plain.estimate.shifted(-5.0)


def test_embeddings_of_one_person_are_close(recipe, astronaut, shared):
    worker = Worker(recipe, track=False)
    portraits = [astronaut, np.roll(astronaut, 9, 0)]
    portraits += [read_picture(shared / "pictures" / f"obama{n}.jpg") for n in ("", "2")]
    first, again, obama, same = (
        np.array(worker.analyse(0.0, each, embed=True)[0].embedding) for each in portraits
    )
    assert first.shape == (128,)
    assert np.linalg.norm(first - again) < 0.3
    assert np.linalg.norm(obama - same) < 0.6 < np.linalg.norm(obama - first)
