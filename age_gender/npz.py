"""Read NumPy's .npz files, as `numpy.savez` writes them, that anyone may have made.

An archive of uncompressed arrays, of numbers or texts: what is compressed or pickled is refused,
and what an array claims is compared with what the archive has.
"""

import io
import math
import zipfile

import numpy as np

from age_gender.files import open_regular
from age_gender.stored import Unreadable

ARRAYS = 10_000  # in a file


def read(path, content=None):
    """Read a file: a dict of arrays by name.

    Args:
        path: the file.
        content: its bytes, if they have been read already.

    Raises `stored.Unreadable` if it is not such a file or damaged, `UserError` if it is not a
    regular file, and `OSError` if the system refuses it.
    """
    with io.BytesIO(content) if content is not None else open_regular(path) as file:
        size = file.seek(0, io.SEEK_END)
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if any(each.compress_type != zipfile.ZIP_STORED for each in members):
                    raise Unreadable("it is compressed")
                if len(members) > ARRAYS or sum(each.file_size for each in members) > size:
                    raise Unreadable("its arrays are larger than the file")
                return {
                    each.filename.removesuffix(".npy"): _array(archive, each) for each in members
                }
        except (Unreadable, OSError, MemoryError):
            raise
        except Exception as error:  # zipfile and NumPy raise exceptions of many kinds
            raise Unreadable("it is damaged") from error


def _array(archive, member):
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read_header(file)
        content = file.read()
    if dtype.kind not in "biufU" or math.prod(shape) * dtype.itemsize != len(content):
        raise Unreadable(f"its {member.filename!r} is damaged")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C").copy()
