import pytest

from benchmarks.identity_figures import Figures, OverlapTracker, figures, overlap

HERE, THERE = (0, 0, 10, 10), (100, 0, 10, 10)


@pytest.mark.parametrize(
    "frames, idf1, others",
    [
        ([({"a": HERE}, {1: HERE})] * 4, 1, {"people": 1, "numbers": 1}),
        (
            [({"a": HERE}, {1: HERE})] * 3 + [({"a": HERE}, {2: HERE})],
            0.75,
            {"switches": 1, "numbers": 2},
        ),
        (
            [({"a": HERE}, {1: HERE}), ({"a": HERE}, {}), ({"a": HERE}, {1: HERE})],
            0.8,
            {"fragments": 1, "switches": 0},
        ),
        (
            [({"a": HERE}, {1: HERE})] * 2 + [({"b": HERE}, {1: HERE})] * 2,
            0.5,
            {"inherited": 1, "switches": 0, "people": 2},
        ),
        ([({"a": HERE}, {1: HERE, 2: THERE})] * 2, 2 / 3, {"ghosts": 2}),
        ([({"a": HERE, "b": THERE}, {1: THERE, 2: HERE})], 1, {"switches": 0}),
        ([({}, {})], 0, {"people": 0}),
    ],
)
def test_figures_are_those_of_their_definitions(frames, idf1, others):
    found = figures(frames)
    assert found.idf1 == pytest.approx(idf1)
    assert {name: getattr(found, name) for name in others} == others


def test_figures_of_several_videos_add_up():
    assert Figures(truth=2, given=2, agreeing=1) + Figures(truth=2, given=2, agreeing=2) == Figures(
        truth=4, given=4, agreeing=3
    )


def test_overlap_of_two_boxes():
    assert overlap(HERE, HERE) == 1
    assert overlap(HERE, (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap(HERE, THERE) == 0


def test_plain_tracking_keeps_the_number_of_a_box_that_overlaps_its_last():
    plain = OverlapTracker(kept=1.0)
    assert plain.update(0.0, [HERE, THERE]) == {1: HERE, 2: THERE}
    assert plain.update(0.5, [THERE, (2, 0, 10, 10)]) == {2: THERE, 1: (2, 0, 10, 10)}
    assert plain.update(2.0, [HERE]) == {3: HERE}
