import dataclasses
import multiprocessing
import os
import signal

import pytest

from age_gender.command_line import UserError
from age_gender.face_estimator import Recipe
from age_gender.frames import Frame
from age_gender.live import analyst
from age_gender.live.analyst import Analyst


@pytest.fixture
def recipe(tiny_weights):
    return Recipe.of(tiny_weights[0])


@pytest.mark.long
def test_process_answers_is_replaced_when_it_dies_and_ends(recipe, astronaut, capsys):
    frame = Frame.now("camera 0", astronaut, 3)
    with Analyst(recipe) as made:
        analysis = made.analyse(frame)
        assert analysis.frame is frame and len(analysis.faces) == 1
        os.kill(made._process.pid, signal.SIGKILL)
        again = made.analyse(frame)
        assert again.faces[0].face == analysis.faces[0].face
        process = made._process
        assert process.is_alive()
    assert not process.is_alive()
    assert capsys.readouterr().err == (
        "the process that analyses faces has ended: another is started\n"
    )


class Fragile:
    """A worker that fails at frames of some numbers, and dies at others."""

    def __init__(self, recipe, track):
        pass

    def analyse(self, time, image, embed):
        if image == "fails":
            raise ValueError("broken\nframe")
        if image == "dies":
            os._exit(1)
        return [time]


@pytest.fixture
def fragile(monkeypatch):
    """An `Analyst` with a `Fragile` worker."""
    monkeypatch.setattr(analyst, "Worker", Fragile)
    monkeypatch.setattr(analyst.processes, "spawn", multiprocessing.get_context("fork"))
    monkeypatch.setattr(analyst.system, "follow_parent", lambda: None)
    with Analyst(None) as made:
        yield made


def frame_of(number, image):
    return Frame(f"frame {number}", image, number, float(number), 0.0)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@needs_fork
def test_frame_at_which_it_fails_or_dies_is_named_and_the_others_go_on(fragile, capsys):
    kinds = ["good", "fails", "good", "dies", "good"]
    found = [fragile.analyse(frame_of(number, kind)) for number, kind in enumerate(kinds)]
    twice = "the process that analyses faces has ended at it twice"
    assert [each.problem for each in found] == [None, "ValueError: broken frame", None, twice, None]
    assert [each.faces for each in found] == [[0.0], [], [2.0], [], [4.0]]
    restart = "the process that analyses faces has ended: another is started"
    assert capsys.readouterr().err.splitlines() == [
        "not analysed: frame 1: ValueError: broken frame",
        restart,
        restart,
        f"not analysed: frame 3: {twice}",
    ]


@needs_fork
def test_process_that_dies_at_every_frame_is_an_error(fragile, capsys):
    with pytest.raises(UserError, match="has ended, perhaps for lack of memory: try again"):
        for number in range(analyst.MOST_DEATHS):
            fragile.analyse(frame_of(number, "dies"))
    assert number == 2


def test_process_that_cannot_start_is_an_error(recipe, tmp_path):
    recipe = dataclasses.replace(recipe, weight_file=tmp_path / "none.hdf5")
    with Analyst(recipe) as made, pytest.raises(UserError):
        made.analyse(None)
