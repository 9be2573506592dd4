"""dlib's embeddings of a database's faces, for ``train.py --embeddings``.

    python3 -m age_gender.training.embeddings --input data/utkface.mat --pictures UTKFace

An embedding is the 128 numbers by which dlib's face recognition network, trained on three million
pictures, tells people apart. They contain much about gender and something about age, without the
errors of labels. The picture files are needed because the network takes 150 pixels.

NumPy, OpenCV and dlib are imported where they are used, because this module is a command too: its
help must not wait for them.
"""

from age_gender.start import run

from pathlib import Path

from age_gender import memory
from age_gender.command_line import Parser, UserError, log, progress, result
from age_gender.files import atomic_write

LENGTH = 128
CHIP, PADDING = 150, 0.25  # of dlib's recognition network: pixels, part of the chip's inside
BATCH = 16


def get_args(argv=None):
    parser = Parser(description="Compute embeddings of a database's faces for train.py.")
    parser.add_argument(
        "--input", "-i", type=Path, required=True, help="database (.mat) of aligned faces"
    )
    parser.add_argument(
        "--pictures", type=Path, required=True, help="folder of the chips that it was made of"
    )
    parser.add_argument(
        "--output",
        "-o",
        type=Path,
        help="file to write (default: the database's name with _embeddings.npz)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    memory.add_option(parser)
    return parser.parse_args(argv)


def chip_of(picture):
    """Convert an aligned chip as UTKFace has them to the chip of dlib's recognition network.

    Args:
        picture: (S, S, 3) uint8 BGR.

    Returns:
        (150, 150, 3) uint8 RGB.
    """
    import cv2

    from age_gender.detection import landmarks

    inside = round(CHIP * (1 + 2 * landmarks.PADDING) / (1 + 2 * PADDING))
    border = (CHIP - inside) // 2
    small = cv2.resize(picture, (inside, inside), interpolation=cv2.INTER_AREA)
    chip = cv2.copyMakeBorder(small, *[border] * 4, cv2.BORDER_REPLICATE)
    return cv2.cvtColor(chip, cv2.COLOR_BGR2RGB)


class _Embedder:
    """Computes embeddings of batches of picture files, in a process of its own."""

    network = None

    @classmethod
    def embed(cls, paths):
        """(N, 128) float32 of N paths; zeros where a picture cannot be read."""
        import numpy as np

        from age_gender import faces, pictures, processes

        if cls.network is None:
            cls.network = faces.Embedder()
        embeddings, chips = np.zeros((len(paths), LENGTH), np.float32), {}
        for row, path in enumerate(paths):
            picture, problem = processes.attempt(pictures.read_picture, path)
            if not problem:
                chips[row] = chip_of(picture)
        if chips:
            embeddings[[*chips]] = cls.network.of_chips([*chips.values()])
        return embeddings


def embed(paths):
    """(N, 128) float32 of N picture files of aligned faces; zeros where one cannot be read."""
    import numpy as np

    from age_gender import processes, system

    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    embeddings = np.zeros((len(paths), LENGTH), np.float32)
    with processes.pool() as pool:
        found = processes.in_order(pool, _Embedder.embed, batches, 4 * system.cores())
        for number, outcome in enumerate(progress(found, len(batches), "batches")):
            if outcome.problem:
                log(f"{outcome.item[0]} and the pictures behind it: {outcome.problem}")
            else:
                embeddings[number * BATCH : number * BATCH + len(outcome.item)] = outcome.value
    return embeddings


def standardised(path, digests):
    """The embeddings of faces as targets: each number with mean 0 and standard deviation 1.

    Args:
        path: the file.
        digests: N digests, SHA-256 of the faces' picture files.

    Returns:
        (N, 128) float16; zeros where the file has no embedding of a face.

    Raises `UserError` if it is not such a file, or has none of these faces.
    """
    import numpy as np

    from age_gender import npz
    from age_gender.stored import Unreadable

    try:
        arrays = npz.read(path)
        known, embeddings = arrays.get("sha256"), arrays.get("descriptors")
        if known is None or embeddings is None:
            raise Unreadable("it has no embeddings")
        if known.dtype != np.uint8 or embeddings.dtype.kind != "f":
            raise Unreadable("its arrays are of other types")
        embeddings = embeddings.astype(np.float32)
        if known.shape != (len(embeddings), 32) or embeddings.shape[1:] != (LENGTH,):
            raise Unreadable("its arrays are of other shapes")
        if not np.isfinite(embeddings).all():
            raise Unreadable("it holds numbers that are not finite")
    except Unreadable as problem:
        raise UserError(
            f"{path} is not a file of embeddings: {problem}: make one with "
            "python3 -m age_gender.training.embeddings"
        ) from problem
    row_of = {digest.tobytes(): row for row, digest in enumerate(known) if embeddings[row].any()}
    rows = np.array([row_of.get(digest, -1) for digest in digests])
    if (rows < 0).all():
        raise UserError(f"{path} has no embedding of these faces: make one of their database")
    used = embeddings[[*row_of.values()]]
    numbers = (embeddings - used.mean(0)) / np.maximum(used.std(0), 1e-6)
    numbers = np.concatenate([numbers, np.zeros((1, LENGTH), np.float32)])
    return numbers[rows].astype(np.float16)


def main(argv=None):
    args = get_args(argv)
    memory.apply_option(args)
    output = args.output or args.input.with_name(f"{args.input.stem}_embeddings.npz")
    if output.exists() and not args.overwrite:
        raise UserError(f"{output} exists: --overwrite replaces it, --output names another")
    if not output.parent.is_dir():
        raise UserError(f"{output.parent} is not a folder: make it first")
    import numpy as np

    from age_gender.data.database import FaceDatabase

    database = FaceDatabase(args.input)
    if database.crop != "aligned":
        raise UserError(f"{args.input} holds faces cut with a margin: aligned ones are needed")
    paths = [args.pictures / source for source in database.sources()]
    if not any(path.is_file() for path in paths[:BATCH]):
        raise UserError(f"{paths[0]} does not exist: give the folder that {args.input} is made of")
    embeddings = embed(paths)
    missing = int((~embeddings.any(1)).sum())
    if missing:
        log(f"{missing} of {len(paths)} pictures are missing or damaged: they have no embedding")
    digests = np.frombuffer(b"".join(database.digests()), np.uint8).reshape(-1, 32)
    with atomic_write(output) as partial, open(partial, "wb") as file:
        np.savez(file, sha256=digests, descriptors=embeddings.astype(np.float16))
    result(f"embeddings {output}")


if __name__ == "__main__":
    run(main)
