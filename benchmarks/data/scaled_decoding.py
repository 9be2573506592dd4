"""What JPEG's own scaled decoding would do to the faces, and to what the weights say of them.

    python3 benchmarks/data/scaled_decoding.py --input data/utkface.mat --image_dir UTKFace

The chips of the weights' own validation part, decoded whole and at the smaller scales of which
the face's side is still no larger than the result's; also enlarged to 512 pixels first. All are
resized by the filter of the weights.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from age_gender.command_line import Parser, progress, run  # noqa: E402
from benchmarks import validation_part  # noqa: E402

ENLARGED = 512  # pixels


def get_args(argv=None):
    parser = Parser(description=__doc__.splitlines()[0])
    validation_part.add_options(parser)
    return parser.parse_args(argv)


def enlarged(data):
    """JPEG bytes of the picture at ENLARGED pixels."""
    import cv2
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    picture = cv2.resize(picture, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def main(argv=None):
    args = get_args(argv)
    import cv2
    import numpy as np

    from age_gender.faces import whole

    estimator, paths, ages, males = validation_part.load(args)
    said = estimator.description
    cv2.setNumThreads(1)

    def decoded(files, scale):
        faces = np.empty((len(files), said.image_size, said.image_size, 3), np.uint8)
        start = time.perf_counter()
        for file, face in zip(files, faces):
            picture = cv2.imdecode(np.frombuffer(file, np.uint8), scale)
            face[:] = whole(picture, said.image_size, said.resize)
        return faces, (time.perf_counter() - start) / len(files)

    chips = [path.read_bytes() for path in paths]
    larger = [enlarged(chip) for chip in progress(chips, len(chips), "enlarged")]
    print("picture, px  scale  us each  mean difference  largest  MAE, years  gender, percent")
    for side, files in ((200, chips), (ENLARGED, larger)):
        reference = None
        for part, scale in (
            (1, cv2.IMREAD_COLOR),
            (2, cv2.IMREAD_REDUCED_COLOR_2),
            (4, cv2.IMREAD_REDUCED_COLOR_4),
        ):
            if side // part < said.image_size:
                continue
            faces, each = decoded(files, scale)
            reference = faces if reference is None else reference
            apart = abs(faces.astype(int) - reference)
            estimates = estimator(faces)
            mae = abs(estimates.ages - ages).mean()
            right = 100 * ((estimates.males >= 0.5) == males).mean()
            print(
                f"{side:11}  1/{part:<3}  {1e6 * each:7.0f}  {apart.mean():15.2f}  {apart.max():7}"
                f"  {mae:10.3f}  {right:15.2f}",
                flush=True,
            )


if __name__ == "__main__":
    run(main)
