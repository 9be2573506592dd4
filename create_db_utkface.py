"""UTKFace's aligned and cropped chips become a face database.

    python3 create_db_utkface.py --input UTKFace --output data/utkface.mat

Names are [age]_[gender]_[race]_[date].jpg.chip.jpg; only the first two fields are needed.
UTKFace's gender is 0 for male; the database has 1 for male, as everywhere in this suite.
"""

import argparse
import collections
import hashlib
import re
from pathlib import Path

from command_line import Parser, UserError, in_order, number_between, progress, run, say

AHEAD = 64  # pictures decoded ahead of the one that is written
PATTERN = re.compile(r"\d+_[01]_[0-4]_\d+\.jpg\.chip\.jpg$")  # as UTKFace documents it


def get_args(argv=None):
    parser = Parser(
        description="Make a face database of UTKFace's aligned and cropped chips.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--input", "-i", type=Path, required=True, help="folder of the UTKFace chips (*.jpg)"
    )
    parser.add_argument("--output", "-o", type=Path, required=True, help="database to write (.mat)")
    parser.add_argument(
        "--img_size",
        type=number_between(8, 1024, int),
        default=64,
        help="side of the faces in the database, in pixels",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    return parser.parse_args(argv)


def labels_of(name):
    """Age (0 to 100; more becomes 100) and gender (0 female, 1 male) in a UTKFace file name.

    Raises ValueError where the name has none.
    """
    fields = name.split("_")
    if len(fields) < 2 or not fields[0].isascii() or not fields[0].isdigit():
        raise ValueError("its name does not start with an age")
    if fields[1] not in ("0", "1"):
        raise ValueError("its name has no gender 0 or 1 in second place")
    return min(int(fields[0]), 100), 1 - int(fields[1])


def read_face(path, img_size):
    """Read a chip: its labels, its pixels (img_size, img_size, 3) uint8 BGR, its SHA-256.

    Raises ValueError where the name has no labels or the file is no picture.
    """
    import cv2
    import numpy as np

    age, gender = labels_of(path.name)
    data = path.read_bytes()
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise ValueError("it cannot be read as a picture")
    image = cv2.resize(image, (img_size, img_size), interpolation=cv2.INTER_LINEAR)
    return age, gender, image, hashlib.sha256(data).digest()


def main(argv=None):
    args = get_args(argv)
    if not args.input.is_dir():
        raise UserError(f"--input {args.input} is not a folder: give the folder of the chips")
    if args.output.exists() and not args.overwrite:
        raise UserError(f"--output {args.output} exists: add --overwrite to replace it")
    paths = sorted(path for path in args.input.iterdir() if path.name.endswith(".jpg"))
    if not paths:
        raise UserError(f"--input {args.input} holds no *.jpg file: give the folder of the chips")
    from concurrent.futures import ThreadPoolExecutor

    import face_database

    args.output.parent.mkdir(parents=True, exist_ok=True)
    groups = {}
    counts = collections.Counter()
    with (
        ThreadPoolExecutor() as pool,
        face_database.create(args.output, args.img_size, "utk", -1, "aligned") as database,
    ):
        faces = in_order(pool, lambda path: read_face(path, args.img_size), paths, AHEAD)
        for path, face in progress(faces, len(paths), "pictures"):
            try:
                age, gender, image, sha256 = face.result()
            except (OSError, ValueError) as error:
                say(f"skipped {path.name}: {error}")
                counts["skipped"] += 1
                continue
            counts["copies"] += sha256 in groups
            counts["unusual"] += not PATTERN.match(path.name)
            group = groups.setdefault(sha256, len(groups))
            database.append(image, gender, age, group, sha256, path.name)
            counts["written"] += 1
        if not counts["written"]:
            raise UserError(f"--input {args.input}: none of its {len(paths)} pictures can be used")
    print(f"read {len(paths)} pictures")
    print(f"written {counts['written']} ({counts['unusual']} of them with a malformed name)")
    print(f"skipped {counts['skipped']}")
    print(f"byte-identical copies {counts['copies']}")
    print(f"database {args.output}")


if __name__ == "__main__":
    run(main)
