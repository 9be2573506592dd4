"""How much steadier the shown age is than that of single frames, and how soon a new person shows.

    python3 benchmarks/live/steady_labels.py --portraits pictures
    python3 benchmarks/live/steady_labels.py --portraits UTKFace --most 20 --seconds 3

Each face moves in its own video, with blur and noise, and every frame is analysed. The standard
deviation of the age over the video, after the first second, is measured for the shown age and for
that of single frames. Then each face is replaced, in the same place and without a gap, by the next
one, and the time until the identity changes is measured.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender.command_line import Parser, UserError, log, number_between, progress, run  # noqa: E402

BEFORE, AFTER = 1.5, 1.5  # seconds of one person, and of the next in the same place
HEIGHT = 280  # of a portrait in the video, pixels: the face is two fifths of it


def get_args(argv=None):
    parser = Parser(description="How steady the shown ages are, and how soon they follow.")
    parser.add_argument("--portraits", type=Path, help="folder of portraits (default: one of NASA)")
    parser.add_argument("--most", type=number_between(1, 1000, int), help="take so many of them")
    parser.add_argument("--seconds", type=number_between(2, 600), default=10.0, help="of a video")
    parser.add_argument("--weight_file", help="weights (default: those that ship)")
    return parser.parse_args(argv)


def steadiness(worker, video):
    """Deviations of the shown age and of single frames', in years, and the number of identities.

    None if the face is hardly ever found.
    """
    import numpy as np

    shown, single, identities = [], [], set()
    for seconds, picture in video:
        for face in worker.analyse(seconds, picture)[:1]:
            identities.add(face.identity)
            if seconds >= 1:
                shown.append(face.estimate.age)
                single.append(face.single.age)
    return (np.std(shown), np.std(single), len(identities)) if len(shown) > 20 else None


def change(worker, video):
    """Seconds after which a new person in the same place has another identity; None if never.

    Raises LookupError if one of the two is not found at all.
    """
    before, found = None, False
    for seconds, picture in video:
        for face in worker.analyse(seconds, picture)[:1]:
            if seconds < BEFORE:
                before = face.identity
                continue
            found = True
            if face.identity != before:
                if before is None:
                    raise LookupError
                return seconds - BEFORE
    if before is None or not found:
        raise LookupError
    return None


def main(argv=None):
    args = get_args(argv)
    import itertools

    import numpy as np

    from age_gender.face_estimator import Recipe
    from age_gender.live.worker import Worker
    from benchmarks import portrait_video

    worker = Worker(Recipe.of(args.weight_file, interval=False))
    found = portrait_video.faces_of(portrait_video.portraits(args.portraits, args.most))
    rng = np.random.default_rng(0)

    def video(portrait, seconds):
        moving = portrait_video.Moving(portrait, (320, 240), HEIGHT, rng)
        return portrait_video.frames_of([moving], seconds, rng)

    steady = []
    for portrait in progress(found, len(found), "portraits"):
        worker.forget()
        steady.append(steadiness(worker, video(portrait, args.seconds)))
    steady = np.array([each for each in steady if each is not None])
    if not len(steady):
        raise UserError("no face was found in these portraits")
    shown, single, identities = steady.T
    print(
        f"{len(steady)} portraits: the shown age deviates by {np.median(shown):.2f} years, that of "
        f"single frames by {np.median(single):.2f}; {np.median(single / shown):.1f} times as much "
        "(medians)"
    )
    print(f"{(identities == 1).sum()} of {len(steady)} keep one identity throughout")

    pairs = list(zip(found, found[1:] + found[:1])) if len(found) > 1 else []
    waits = []
    for first, second in progress(pairs, len(pairs), "pairs"):
        worker.forget()
        later = ((BEFORE + seconds, picture) for seconds, picture in video(second, AFTER))
        try:
            waits.append(change(worker, itertools.chain(video(first, BEFORE), later)))
        except LookupError:
            log("one of a pair is not found by the detector: left out")
    in_time = [wait for wait in waits if wait is not None and wait <= 1]
    if in_time:
        print(
            f"{len(in_time)} of {len(waits)} new people in the same place are followed within a "
            f"second, after {np.median(in_time):.2f} s (median)"
        )


if __name__ == "__main__":
    run(main)
