import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from age_gender import npz
from age_gender.command_line import UserError


def test_arrays_are_those_that_were_saved(tmp_path):
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.float32(2), "text": np.array("ä日")}
    arrays["fortran"] = np.asfortranarray(np.ones((2, 3), np.float16))
    np.savez(tmp_path / "a.npz", **arrays)
    for found in (npz.read(tmp_path / "a.npz"), npz.read("", (tmp_path / "a.npz").read_bytes())):
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)


def archive(header, data, method=zipfile.ZIP_STORED):
    """The bytes of an archive of one array whose header is given."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as file:
        text = f"{header}\n".encode()
        file.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)
    return content.getvalue()


HEADER = {"descr": "<f8", "fortran_order": False, "shape": (2,)}


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"", "it is damaged"),
        (b"no archive", "it is damaged"),
        (archive(HEADER, bytes(15)), "its 'a.npy' is damaged"),
        (archive(HEADER | {"shape": (2**40,)}, bytes(16)), "its 'a.npy' is damaged"),
        (archive(HEADER | {"shape": (-1, -2)}, bytes(16)), "it is damaged"),
        (archive(HEADER | {"descr": "|O"}, pickle.dumps([1])), "its 'a.npy' is damaged"),
        (
            archive(HEADER, bytes(10**6), zipfile.ZIP_DEFLATED),
            "it is compressed",
        ),
        (archive(HEADER, bytes(16), zipfile.ZIP_BZIP2), "it is compressed"),
        (archive("__import__('os').getcwd()", bytes(16)), "it is damaged"),
    ],
)
def test_what_is_no_such_file_is_refused(content, problem):
    with pytest.raises(UserError, match=f"^{problem}$"):
        npz.read("a.npz", content)


def test_fifo_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(UserError, match="a.npz is not a regular file"):
        npz.read(tmp_path / "a.npz")
