"""What export.py writes, beside Keras: size, largest differences, milliseconds.

    python3 benchmarks/export_parity.py --input data/utkface.mat
    python3 benchmarks/export_parity.py --faces UTKFace

Faces are those of the weights' own validation set in a database, or all pictures of a folder of
cut faces. The times are medians over rounds in which all formats, and the estimator that
demo.py uses (Keras, compiled by TensorFlow), take turns on the same faces in this process.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from age_gender import system  # noqa: E402
from age_gender.command_line import (  # noqa: E402
    Parser,
    UserError,
    number_between,
    quiet_start,
    run,
)

BATCH = 64
CASES = [(suffix, half) for suffix in (".tflite", ".onnx", "") for half in (False, True)]


def get_args(argv=None):
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--weight_file", help="by default the weights that ship")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--input", type=Path, help="database of faces: its validation set")
    source.add_argument("--faces", type=Path, help="folder of pictures that are faces already")
    whole = number_between(1, 1000, int)
    parser.add_argument("--rounds", type=whole, default=15, help="of one face and of 64")
    parser.add_argument(
        "--threads",
        type=whole,
        default=system.cores(),
        help="of LiteRT and onnxruntime; TensorFlow takes all cores",
    )
    return parser.parse_args(argv)


def read_faces(args, description):
    """The faces to compare on, (N, S, S, 3) uint8 BGR."""
    import numpy as np

    from age_gender.data.database import FaceDatabase
    from age_gender.faces import whole
    from age_gender.listing import list_pictures
    from age_gender.pictures import read_picture

    if args.faces:
        paths = list_pictures(args.faces).pictures
        size, resize = description.image_size, description.resize
        return np.stack([whole(read_picture(path), size, resize) for path in paths])
    database = FaceDatabase(args.input)
    if database.images.shape[1] != description.image_size:
        raise UserError(f"--input {args.input} has faces of another size than the weights")
    if description.split_seed is None:
        raise UserError("the weights do not record their validation set: give --faces instead")
    _, validation, _ = description.split_of(database)
    return np.stack([database.images[row] for row in np.sort(validation)])


def in_batches(predict, faces):
    """The outputs for all faces, as one dict of arrays."""
    import numpy as np

    parts = [predict(faces[start : start + BATCH]) for start in range(0, len(faces), BATCH)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def milliseconds(predicts, faces, rounds):
    """Median time of each function on faces, in rounds in which they take turns."""
    taken = {name: [] for name in predicts}
    for round_ in range(rounds + 2):
        for name, predict in predicts.items():
            start = time.perf_counter()
            predict(faces)
            if round_ > 1:  # the first allocate
                taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(times) for name, times in taken.items()}


def main(argv=None):
    args = get_args(argv)
    with quiet_start(), tempfile.TemporaryDirectory() as temporary:
        from age_gender import weights
        from age_gender.conversion import converter, formats, parity
        from age_gender.estimator import Estimator

        source = weights.load(args.weight_file)
        path, description, arrays = source
        faces = read_faces(args, description)
        model = converter.network(description, arrays)
        ours = in_batches(lambda some: parity.outputs(model, some), faces)
        predicts, lines = (
            {"Keras": Estimator(path, runtime="keras")},
            {"Keras": [path.stat().st_size, None]},
        )
        for suffix, half in CASES:
            output = Path(temporary, f"{'half' if half else 'full'}{suffix}")
            kind = formats.of(output)
            converter.convert(source, output, kind, "bgr", half)
            name = f"{kind.name} {'float16' if half else 'float32'}"
            threads = {} if kind.folder else {"threads": args.threads}
            predicts[name] = kind.implementation().load(output, **threads)
            found = parity.difference(ours, in_batches(predicts[name], faces))
            lines[name] = [converter.size(output), found]
        one = milliseconds(predicts, faces[:1], args.rounds)
        many = milliseconds(predicts, faces[:BATCH], args.rounds)
    print(
        f"{description.network}, {len(faces)} faces; {args.threads} threads of LiteRT and "
        f"onnxruntime, {system.cores()} cores; medians of {args.rounds} rounds"
    )
    print(
        "| | bytes | probability | years | ms, 1 face | ms, 64 faces |\n|---|---|---|---|---|---|"
    )
    for name, (size, found) in lines.items():
        off = f"{found.probability:.1e} | {found.years:.1e}" if found else " | "
        print(f"| {name} | {size:,} | {off} | {one[name]:.1f} | {many[name]:.0f} |")


if __name__ == "__main__":
    run(main)
