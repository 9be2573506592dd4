"""Unpacks a downloaded archive of pictures: regular files and folders, and nothing else.

    python3 tools/unpack.py data/imdb_crop.tar data/imdb_crop.unpacking imdb_crop 12

download.sh calls it. Devices, links, pipes and names that lead elsewhere are refused, owners and
permissions of the archive are ignored, and no more is written than was said. Needs nothing but
Python itself.
"""

import argparse
import io
import os
import shutil
import stat
import sys
import tarfile
import zipfile

BAD, UNWRITABLE = 3, 4  # exit codes: the archive is of no use, or the disk takes no more
MOST_FILES = 2_000_000
LONGEST = 64 * 2**20  # bytes of a header, or of the list of files at a zip's end
END = 512  # bytes of zeros at the end of a tar, at least


class BadArchive(Exception):
    """The message is what is wrong with it."""


class _Pieces(io.FileIO):
    """A file that is not read into memory as a whole, whatever length an archive claims."""

    def read(self, size=-1):
        if size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > LONGEST:
            raise BadArchive("it claims a part of impossible size")
        return super().read(size)


def unpack(archive, folder, name, largest):
    """Write what an archive holds under ``name`` into a folder.

    Args:
        archive: path of a .tar, not compressed, or a .zip.
        folder: a new folder.
        name: the folder in the archive; what lies beside it is left out.
        largest: bytes that are written at most.

    Raises `BadArchive`, and `OSError` where it cannot be written.
    """
    members = _zip_members if archive.endswith(".zip") else _tar_members
    count = written = 0
    with _Pieces(archive) as file:
        for path, size, opened in members(file):
            count, written = count + 1, written + max(size, 0)
            if count > MOST_FILES or written > largest or size < 0:
                raise BadArchive(f"it holds more than the expected {largest / 1e9:g} GB")
            parts = [part for part in path.split("/") if part not in ("", ".")]
            if path.startswith("/") or ".." in parts or "\0" in path:
                raise BadArchive(f"it holds a file for another folder: {path!a}")
            if parts[:1] == [name]:
                _write(os.path.join(folder, *parts), opened)
    if not os.path.isdir(os.path.join(folder, name)):
        raise BadArchive(f"it holds no folder {name}")


def _write(path, opened):
    """Make a folder, or a file of what ``opened()`` returns to read."""
    if opened is None:
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with opened() as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target, 2**20)


def _tar_members(file):
    """(name, size, function that opens it or None for a folder) of each file in a tar."""
    with tarfile.open(fileobj=file, mode="r:") as archive:
        while (member := archive.next()) is not None:
            archive.members.clear()  # they are half a million
            if not (member.isreg() or member.isdir()):
                raise BadArchive(f"it holds what is neither file nor folder: {member.name!a}")
            opened = None if member.isdir() else lambda: archive.extractfile(member)  # noqa: B023
            yield member.name, 0 if member.isdir() else member.size, opened
        file.seek(archive.offset)
        length = 0
        while rest := file.read(2**20):  # tarfile takes damage for the end
            length += len(rest)
            if rest.strip(b"\0"):
                raise BadArchive("it is damaged")
        if length < END:
            raise BadArchive("its end is missing")


def _zip_members(file):
    """The same of a zip; a file's checksum is compared when it is read."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise BadArchive(f"it holds what is neither file nor folder: {member.filename!a}")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise BadArchive(f"{member.filename!a} is compressed in an unusual way")
            opened = None if member.is_dir() else lambda: archive.open(member)  # noqa: B023
            yield member.filename, member.file_size, opened


def main(argv=None):
    parser = argparse.ArgumentParser(description="Unpack an archive of pictures.")
    parser.add_argument("archive", help="a .tar or a .zip")
    parser.add_argument("folder", help="new folder for what it holds")
    parser.add_argument("name", help="folder in the archive")
    parser.add_argument("largest", type=float, help="GB that are written at most")
    args = parser.parse_args(argv)
    os.mkdir(args.folder)
    try:
        unpack(args.archive, args.folder, args.name, args.largest * 1e9)
    except OSError as error:
        print(error.strerror or error, file=sys.stderr)
        return UNWRITABLE
    except BadArchive as error:
        print(error, file=sys.stderr)
        return BAD
    except Exception as error:  # of any class, from what reads tar and zip
        print(f"it is damaged ({type(error).__name__})", file=sys.stderr)
        return BAD
    return 0


if __name__ == "__main__":
    sys.exit(main())
