import os
import signal
import time

import numpy as np
import pytest

from age_gender import faces, weights
from age_gender.command_line import UserError
from age_gender.frames import Frame
from age_gender.live.analyst import Analyst, Job, Worker


def job_of(tiny_weights, **options):
    description, _ = weights.read(tiny_weights[0])
    return Job(tiny_weights[0], faces.Cut.of(description), **options)


def test_worker_follows_a_face_and_averages_it(tiny_weights, astronaut):
    worker = Worker(job_of(tiny_weights))
    rng = np.random.default_rng(0)
    searched = []
    find = worker._finder.find
    worker._finder.find = lambda image: searched.append(1) or find(image)
    singles = []
    for step in range(12):
        moved = np.roll(astronaut, 3 * step, 1)
        noisy = np.clip(moved + rng.normal(0, 20, moved.shape), 0, 255).astype(np.uint8)
        (seen,) = worker.examine(step / 20, noisy)
        assert seen.identity == 1 and seen.embedding is None
        assert abs(seen.face.left + seen.face.width / 2 - 221 - 3 * step) < 12
        singles.append(seen.single.age)
    assert 1 <= len(searched) <= 4  # the others were found near where they were
    assert min(singles) < seen.estimate.age < max(singles)
    assert seen.estimate != seen.single
    worker.forget()
    assert worker.examine(1.0, astronaut)[0].identity == 1
    assert worker.examine(1.1, np.zeros_like(astronaut)) == []


def test_pictures_are_not_followed_and_ages_are_offset(tiny_weights, astronaut):
    (plain,) = Worker(job_of(tiny_weights, follow=False, interval=1.0)).examine(0.0, astronaut)
    (later,) = Worker(job_of(tiny_weights, follow=False, interval=1.0, age_offset=-5.0)).examine(
        0.0, astronaut
    )
    assert plain.identity == 0 and plain.estimate == plain.single
    assert plain.estimate.interval is not None
    assert later.estimate == plain.estimate.shifted(-5.0)


def test_embedding_knows_a_person_again(tiny_weights, astronaut, shared):
    worker = Worker(job_of(tiny_weights, follow=False))
    portraits = [astronaut, np.roll(astronaut, 9, 0)]
    from age_gender import frames

    portraits += [frames.read_picture(shared / "pictures" / f"obama{n}.jpg") for n in ("", "2")]
    first, again, obama, same = (
        np.array(worker.examine(0.0, each, embed=True)[0].embedding) for each in portraits
    )
    assert first.shape == (128,)
    assert np.linalg.norm(first - again) < 0.3
    assert np.linalg.norm(obama - same) < 0.6 < np.linalg.norm(obama - first)


@pytest.mark.long
def test_process_answers_is_replaced_when_it_dies_and_ends(tiny_weights, astronaut, capsys):
    frame = Frame("camera 0", astronaut, 3, time.time())
    with Analyst(job_of(tiny_weights)) as analyst:
        analysis = analyst.analyse(frame)
        assert analysis.frame is frame and len(analysis.seen) == 1
        os.kill(analyst._process.pid, signal.SIGKILL)
        again = analyst.analyse(frame)
        assert again.seen[0].face == analysis.seen[0].face
        process = analyst._process
        assert process.is_alive()
    assert not process.is_alive()
    assert capsys.readouterr().err == (
        "the process that looks for faces has ended: another is started\n"
    )


def test_process_that_cannot_begin_is_an_error(tiny_weights, tmp_path):
    job = job_of(tiny_weights)
    job.weight_file = tmp_path / "none.hdf5"
    with Analyst(job) as analyst, pytest.raises(UserError):
        analyst.analyse(None)
