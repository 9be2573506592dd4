"""Descriptors of a database's faces, from which `train.py --descriptors` lets the network learn.

    python3 -m age_gender.training.embeddings --input data/utkface.mat --pictures UTKFace

A descriptor is the 128 numbers by which dlib's face recognition network, trained on three million
pictures, tells people apart. They say much about sex and something about age, and unlike labels
they are never wrong by a slip of the hand. The picture files are needed because the network wants
150 pixels.
"""

from pathlib import Path

from age_gender.command_line import Parser, UserError, log, progress, result, run
from age_gender.files import atomic_write

LENGTH = 128
CHIP, PADDING = 150, 0.25  # of dlib's recognition network: pixels, part of the chip's inside
BATCH = 16


def get_args(argv=None):
    parser = Parser(description="Describe the faces of a database, for train.py --descriptors.")
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
        help="file to write (default: the database's name with _descriptors.npz)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    return parser.parse_args(argv)


def chip_of(picture):
    """An aligned chip as UTKFace has them, (S, S, 3) BGR, as dlib's recognition network wants it.

    Returns:
        (150, 150, 3) uint8 RGB.
    """
    import cv2

    from age_gender import faces

    inside = round(CHIP * (1 + 2 * faces.PADDING) / (1 + 2 * PADDING))
    border = (CHIP - inside) // 2
    small = cv2.resize(picture, (inside, inside), interpolation=cv2.INTER_AREA)
    chip = cv2.copyMakeBorder(small, *[border] * 4, cv2.BORDER_REPLICATE)
    return cv2.cvtColor(chip, cv2.COLOR_BGR2RGB)


class _Describer:
    """Describes batches of picture files, in a process of its own."""

    network = None

    @classmethod
    def describe(cls, paths):
        """(N, 128) float32 of N paths; zeros where a picture cannot be read."""
        import numpy as np

        from age_gender import faces, frames

        if cls.network is None:
            cls.network = faces.Embedder()
        described, chips = np.zeros((len(paths), LENGTH), np.float32), {}
        for place, path in enumerate(paths):
            try:
                chips[place] = chip_of(frames.read_picture(path))
            except frames.UnreadablePicture:
                continue
        if chips:
            described[[*chips]] = cls.network.of_chips([*chips.values()])
        return described


def describe(paths):
    """(N, 128) float32 of N picture files of aligned faces; zeros where one cannot be read."""
    import numpy as np

    from age_gender import processes

    batches = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    with processes.pool() as pool:
        found = pool.map(_Describer.describe, batches)
        return np.concatenate([*progress(found, len(batches), "batches")])


def standardised(path, digests):
    """The descriptors of faces as targets: of each number mean 0 and standard deviation 1.

    Args:
        path: the file.
        digests: N digests, SHA-256 of the faces' picture files.

    Returns:
        (N, 128) float16; zeros where the file does not describe a face.

    Raises `UserError` where it is no such file, or describes none of them.
    """
    import numpy as np

    try:
        with np.load(path) as file:
            known, described = file["sha256"], file["descriptors"].astype(np.float32)
        if known.shape != (len(described), 32) or described.shape[1:] != (LENGTH,):
            raise ValueError
    except FileNotFoundError:
        raise
    except Exception as error:
        raise UserError(
            f"--descriptors {path} is not a file of descriptors: descriptors.py makes it"
        ) from error
    row_of = {digest.tobytes(): row for row, digest in enumerate(known) if described[row].any()}
    rows = np.array([row_of.get(digest, -1) for digest in digests])
    if (rows < 0).all():
        raise UserError(
            f"--descriptors {path} describes none of these faces: descriptors.py makes it of the "
            "database"
        )
    used = described[[*row_of.values()]]
    numbers = (described - used.mean(0)) / used.std(0)
    numbers = np.concatenate([numbers, np.zeros((1, LENGTH), np.float32)])
    return numbers[rows].astype(np.float16)


def main(argv=None):
    args = get_args(argv)
    output = args.output or args.input.with_name(f"{args.input.stem}_descriptors.npz")
    if output.exists() and not args.overwrite:
        raise UserError(f"{output} exists: --overwrite replaces it, --output names another")
    if not output.parent.is_dir():
        raise UserError(f"{output.parent} is not a folder: make it first")
    import numpy as np

    from age_gender.data.database import FaceDatabase

    database = FaceDatabase(args.input)
    if database.crop != "aligned":
        raise UserError(f"{args.input} holds faces cut by their box: only aligned ones will do")
    paths = [args.pictures / source for source in database.sources()]
    if not any(path.is_file() for path in paths[:BATCH]):
        raise UserError(f"{paths[0]} does not exist: give the folder that {args.input} is made of")
    described = describe(paths)
    missing = int((~described.any(1)).sum())
    if missing:
        log(f"{missing} of {len(paths)} pictures are missing or damaged: they have no descriptor")
    digests = np.frombuffer(b"".join(database.digests()), np.uint8).reshape(-1, 32)
    with atomic_write(output) as partial, open(partial, "wb") as file:
        np.savez(file, sha256=digests, descriptors=described.astype(np.float16))
    result(f"descriptors {output}")


if __name__ == "__main__":
    run(main)
