"""The program's readers of files, each with small good files, for damaged ones."""

import contextlib
import csv
import dataclasses
import json
import os
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from age_gender.command_line import UserError
from helpers import mutations

FRAMES = 100  # of a video that are read at most


@dataclasses.dataclass
class Reader:
    """A reader of one kind of file.

    Attributes:
        name: of the kind.
        make: function of a folder that writes good files there and returns their paths.
        read: function of a path that reads all of the file and yields arrays or bytes.
        mutate: function of bytes and a `numpy.random.Generator` that returns damaged bytes; a
            class is called with the folder first.
    """

    name: str
    make: Callable
    read: Callable
    mutate: Callable = mutations.anywhere


class Fuzzer:
    """Damages a reader's good files and judges what it makes of them.

    Args:
        reader: `Reader`.
        folder: an empty one; for the files.

    Attributes:
        good: paths of the files before any damage.
    """

    def __init__(self, reader, folder):
        self.reader = reader
        self._folder = folder
        self.good = reader.make(folder)
        self._contents = [(path.name, path.read_bytes()) for path in self.good]
        structural = isinstance(reader.mutate, type)
        self._mutate = reader.mutate(folder) if structural else reader.mutate
        self._marker = folder / "executed"

    def write(self, seed):
        """Write the damaged file of a seed, and return its path."""
        rng = np.random.default_rng((zlib.crc32(self.reader.name.encode()), seed))
        name, content = self._contents[rng.integers(len(self._contents))]
        path = self._folder / "damaged" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(self._mutate(content, rng))
        return path

    def judge(self, path):
        """Read a file: "read", "refused", or a text that says what is wrong."""
        try:
            for data in self.reader.read(path):
                if mutations.Hdf5.PATTERN * 4 in _bytes(data):
                    return "content of another file was read"
        except (UserError, OSError) as error:
            line = error.strerror if isinstance(error, OSError) else str(error)
            if not line or not line.isprintable():
                return f"not one printable line: {line!r}\n{traceback.format_exc()}"
            answer = "refused"
        except Exception:
            return traceback.format_exc()
        else:
            answer = "read"
        if self._marker.exists():
            os.rmdir(self._marker)
            return "code in the file was executed"
        return answer


def _bytes(data):
    return data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()


def _weights(folder):
    from wide_resnet import WideResNet

    network = WideResNet(32, 10, 1, pool="global")
    rng = np.random.default_rng(0)
    return [_keras2(folder / "weights.hdf5", network, rng)]


def _keras2(path, network, rng):
    """A weight file of random numbers, written without Keras."""
    import h5py

    from age_gender.weights import Description

    with h5py.File(path, "w") as file:
        file.attrs.update(Description(network, data="noise", val_age_mae=4.5).attributes())
        names = []
        for number, shape in enumerate(network.shapes()):
            name = f"layer_{number}"
            names.append(name)
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/kernel:0"], "S")
            group.create_dataset(f"{name}/kernel:0", data=rng.random(shape, np.float32))
        file.attrs["layer_names"] = np.array(names, "S")
    return path


def _read_weights(path):
    from age_gender import weights

    description, arrays = weights.read(path)
    str(description)
    yield json.dumps(description.attributes()).encode()
    yield from arrays


def _histories(folder):
    import pandas

    table = pandas.DataFrame({"loss": [3.0, 2.5], "val_loss": [3.5, 3.25], "epoch": [1, 2]})
    paths = [folder / "fixed.h5", folder / "table.h5"]
    table.to_hdf(paths[0], key="history", mode="w")
    table.to_hdf(paths[1], key="history", mode="w", format="table")
    return paths


def _read_history(path):
    import plot_history

    history = plot_history.read_history(path)
    for name in history:
        yield name.encode()
        yield np.asarray(history[name], float)


def _databases(folder):
    from age_gender.data import database

    path = folder / "faces.mat"
    rng = np.random.default_rng(0)
    with database.create(path, 16, "utk", -1, "margin", 0.4) as writer:
        count = 40
        images = rng.integers(0, 256, (count, 16, 16, 3), np.uint8)
        digests = rng.integers(0, 256, (count, 32), np.uint8)
        names = [f"{number}.jpg" for number in range(count)]
        ages = rng.integers(0, 101, count)
        writer.append(images, rng.integers(0, 2, count), ages, np.arange(count), digests, names)
    return [path]


def _matlab5_databases(folder):
    import scipy.io

    rng = np.random.default_rng(0)
    content = {
        "image": rng.integers(0, 256, (20, 16, 16, 3), np.uint8),
        "gender": rng.integers(0, 2, (1, 20)).astype(np.uint8),
        "age": rng.integers(0, 101, (1, 20)).astype(np.uint8),
        "db": "wiki",
        "img_size": 16,
        "min_score": 1.0,
    }
    paths = [folder / "plain.mat", folder / "compressed.mat"]
    for path, compressed in zip(paths, (False, True)):
        scipy.io.savemat(path, content, do_compression=compressed)
    return paths


def _read_database(path):
    from age_gender.data.database import FaceDatabase

    database = FaceDatabase(path)
    yield database.ages
    yield database.genders
    if database.has_sources:
        yield from (source.encode("utf-8", "replace") for source in database.sources())
    yield from database.digests()
    for row in range(len(database)):
        yield database.images[row]
    database.split(0.1, 0.1, 0)


def _meta_files(folder):
    import scipy.io

    count = 20
    rng = np.random.default_rng(0)
    names = np.empty((1, count), object)
    names[0] = [np.array([f"0{number}/{number}.jpg"]) for number in range(count)]
    fields = {
        "dob": rng.integers(700_000, 730_000, (1, count)),
        "photo_taken": rng.integers(1990, 2015, (1, count)).astype(np.uint16),
        "full_path": names,
        "gender": rng.integers(0, 2, (1, count)).astype(float),
        "face_score": rng.random((1, count)),
        "second_face_score": np.full((1, count), np.nan),
    }
    paths = [folder / "wiki.mat", folder / "compressed.mat"]
    for path, compressed in zip(paths, (False, True)):
        scipy.io.savemat(path, {"wiki": fields}, do_compression=compressed)
    return paths


def _read_meta(path):
    from age_gender.data import imdb_wiki

    rows = imdb_wiki.read_meta(path, "wiki")
    kept, _ = imdb_wiki.select(rows, 0.5)
    yield rows.ages[kept]
    yield from (name.encode("utf-8", "replace") for name in rows.names)


def _tables(folder):
    path = folder / "gt_avg_valid.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        columns = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age"
        writer.writerow(columns.split(","))
        writer.writerows([f"{n:06d}.jpg", 38, 20.2 + n, 4.5, 22 + n] for n in range(10))
    return [path]


def _read_table(path):
    from age_gender.data import appa_real

    names, ages = appa_real.read_table(path.parent, "valid")
    for column in ages.values():
        assert np.isfinite(column).all() and len(column) == len(names)
        yield column


def _embeddings(folder):
    rng = np.random.default_rng(0)
    path = folder / "faces_embeddings.npz"
    digests = rng.integers(0, 256, (30, 32), np.uint8)
    numbers = rng.normal(size=(30, 128)).astype(np.float16)
    np.savez(path, sha256=digests, descriptors=numbers)
    return [path]


def _read_embeddings(path):
    from age_gender.training.embeddings import standardised

    digests = np.random.default_rng(0).integers(0, 256, (30, 32), np.uint8)
    yield standardised(path, [digest.tobytes() for digest in digests])


def _states(folder):
    path = folder / "state_10_1.npz"
    settings = {"engine": "plain", "precision": "float32", "steps_per_execution": 1}
    facts = {"epoch": 1, "best": 3.5, "best file": None, "history": [{"loss": 3.6}]}
    facts |= {"losses": [3.7, 3.6], "settings": settings}
    np.savez(path, said=json.dumps(facts), **{"0": np.zeros(5), "1": np.ones((3, 3))})
    return [path]


def _read_state(path):
    from age_gender.training.state import read_state

    facts, arrays = read_state(path)
    yield json.dumps(facts).encode()
    yield from arrays


PICTURES = ["png", "jpg", "gif", "webp", "tiff", "bmp", "avif", "jp2", "ppm", "ras"]


def _pictures(folder):
    ramp = np.linspace(0, 255, 64 * 48).astype(np.uint8).reshape(48, 64)
    picture = np.dstack([ramp, ramp.T.reshape(48, 64), 255 - ramp])
    paths = [folder / f"picture.{suffix}" for suffix in PICTURES]
    for path in paths:
        path.write_bytes(cv2.imencode(path.suffix, picture)[1])
    linear = (picture / 255).astype(np.float32)
    for suffix in ("exr", "hdr", "pfm"):
        paths.append(folder / f"picture.{suffix}")
        paths[-1].write_bytes(cv2.imencode(f".{suffix}", linear)[1])
    return paths


def _read_picture(path):
    from age_gender.pictures import read_picture

    image = read_picture(path)
    assert image.dtype == np.uint8 and image.shape[2:] == (3,) and image.size
    yield image[:1]


def _videos(folder):
    paths = [folder / "clip.avi", folder / "clip.mp4"]
    for path, code in zip(paths, ("MJPG", "mp4v")):
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 10, (64, 48))
        for number in range(12):
            writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
        writer.release()
    return paths


def _read_video(path):
    from age_gender.frames import open_source

    with contextlib.closing(iter(open_source(path))) as frames:
        for frame, _ in zip(frames, range(FRAMES)):
            assert np.isfinite(frame.time)
            yield frame.image[:1]


def _captures(folder):
    path = folder / "1700000000000-0a1b2c3d.jsonl"
    record = {"key": 170000000000001, "frame_id": 1700000000000, "predicted_ages": 31.5}
    path.write_text(2 * (json.dumps(record) + "\n"))
    return [path]


def _read_capture(path):
    from age_gender.captures import outbox, records

    try:
        content = outbox.Outbox(path.parent).read(path)
        yield json.dumps(records.parse(content)).encode()
    except ValueError as error:
        raise UserError(str(error)) from error


READERS = (
    Reader("weights", _weights, _read_weights, mutations.Hdf5),
    Reader("history", _histories, _read_history, mutations.Hdf5),
    Reader("database", _databases, _read_database, mutations.Hdf5),
    Reader("MATLAB 5 database", _matlab5_databases, _read_database, mutations.matlab5),
    Reader("IMDB-WIKI metadata", _meta_files, _read_meta, mutations.matlab5),
    Reader("label table", _tables, _read_table, mutations.text),
    Reader("embeddings", _embeddings, _read_embeddings, mutations.Npz),
    Reader("training state", _states, _read_state, mutations.Npz),
    Reader("picture", _pictures, _read_picture),
    Reader("video", _videos, _read_video),
    Reader("capture", _captures, _read_capture, mutations.text),
)


def reader_of(name):
    """The reader of a name in `READERS`."""
    return next(reader for reader in READERS if reader.name == name)


def peak_memory():
    """The most bytes that this process has held since `forget_peak`; None where unknown."""
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return None
    return next(1024 * int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)


def forget_peak():
    """Let `peak_memory` begin anew."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
