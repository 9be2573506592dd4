import fcntl
import gzip
import http.server
import io
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zipfile

import pytest

from helpers import ROOT, until

SCRIPT = ROOT / "download.sh"
TOOLS = ["bash", "cat", "flock", "head", "mkdir", "mktemp", "mv", "rm", "sed", "stat"]
TOOLS += ["tail"]
AGAIN = "run the same command again"
STOPPED = f"download.sh: stopped: {AGAIN} to resume"
PICTURES = {f"{number:02}/{number}.jpg": os.urandom(3000) for number in range(20)}


class _Archives(http.server.BaseHTTPRequestHandler):
    """A server of archives that drops, refuses, hangs or ignores ranges where it is told to."""

    files = {}  # path: content
    moved = {}  # path: where it is now
    drops = ()  # the first answers end after so many bytes
    hangs = 0  # so many answers stand still after 20,000 bytes
    knows_ranges = True
    status = None

    def do_GET(self):
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        self.asked.append((self.path, int(wanted[1]) if wanted else None))
        content = self.files.get(self.path)
        start = int(wanted[1]) if wanted and self.knows_ranges else 0
        if self.path in self.moved:
            self.send_response(302)
            self.send_header("Location", self.address + self.moved[self.path])
            self.end_headers()
        elif self.status or content is None:
            self.send_error(self.status or 404)
        elif start >= len(content) and start:
            self.send_error(416)
        else:
            self.send_response(206 if wanted and self.knows_ranges else 200)
            if wanted and self.knows_ranges:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"
                )
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.send_body(content[start:])

    def send_body(self, body):
        handler = type(self)
        if handler.hangs:
            handler.hangs -= 1
            self.wfile.write(body[:20000])
            handler.sent.set()
            handler.go_on.wait(120)
        elif handler.drops:
            end, *handler.drops = handler.drops
            self.wfile.write(body[:end])
        else:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A local web server whose settings and memory are attributes: see `_Archives`."""
    own = {
        "files": {},
        "moved": {},
        "asked": [],
        "sent": threading.Event(),
        "go_on": threading.Event(),
    }
    handler = type("Archives", (_Archives,), own)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield handler
    handler.go_on.set()
    server.shutdown()
    server.server_close()


def tar(folder="imdb_crop", pictures=PICTURES, date=0):
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name, content in pictures.items():
                member = tarfile.TarInfo(f"{folder}/{name}")
                member.size, member.mtime = len(content), date
                archive.addfile(member, io.BytesIO(content))
        return file.getvalue()


def zip_(folder="appa-real-release", pictures=PICTURES):
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in pictures.items():
                archive.writestr(f"{folder}/{name}", content)
        return file.getvalue()


def tree(folder):
    """Paths and contents of all files in a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def claimed(size, kind=tarfile.REGTYPE):
    """A tar whose only member claims a size, which is not there."""
    header = bytearray(tarfile.TarInfo("imdb_crop/a").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = kind
    header[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(10240)


def sparse(name, size):
    """A tar with a file that has a hole of a size."""
    info = tarfile.TarInfo(name)
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.size": str(size),
        "GNU.sparse.map": "0,0",
    }
    return info.tobuf(tarfile.PAX_FORMAT) + bytes(10240)


TAR, ZIP = tar(), zip_()
ARCHIVES = {"imdb": "imdb_crop.tar", "wiki": "wiki_crop.tar"}
ARCHIVES["appa-real"] = "appa-real-release.zip"
UNPACKED = {f"imdb_crop/{name}": content for name, content in PICTURES.items()}


class Shell:
    """The script in an empty folder, with nothing but the tools it needs in its PATH."""

    def __init__(self, folder, server, downloader=None):
        self.folder, self.data, self.bin = folder, folder / "data", folder / "bin"
        self.server, self.downloader, self.environment = server, downloader, None
        self.bin.mkdir()
        for tool in [*TOOLS, downloader] if downloader else TOOLS:
            if shutil.which(tool):
                (self.bin / tool).symlink_to(shutil.which(tool))
            else:
                pytest.skip(f"{tool} is not installed")
        (self.bin / "python3").symlink_to(os.path.realpath(sys.executable))
        self.fake("sleep", "")  # tries need no pause between them here

    def fake(self, tool, lines):
        """Put a script in the place of a tool; $REAL in it is the tool."""
        (self.bin / tool).unlink(missing_ok=True)
        (self.bin / tool).write_text(f"#!{self.bin}/bash\nREAL={shutil.which(tool)}\n{lines}\n")
        (self.bin / tool).chmod(0o755)

    def restore(self, tool):
        (self.bin / tool).unlink()
        own = os.path.realpath(sys.executable)
        (self.bin / tool).symlink_to(own if tool == "python3" else shutil.which(tool))

    def put(self, archive, content):
        """Let an archive be there already."""
        self.data.mkdir()
        (self.data / archive).write_bytes(content)

    def start(self, *arguments, largest="unlimited", stderr=subprocess.PIPE):
        """Start it; it can write files of at most so many KiB."""
        address = self.server.address
        mirrors = {"IMDB_WIKI_URL": address, "APPA_REAL_URL": f"{address}/appa/"}
        environment = {"PATH": str(self.bin), "HOME": str(self.folder)}
        environment |= mirrors if self.environment is None else self.environment
        limit = f"ulimit -f {largest}; trap '' XFSZ; exec bash \"$@\""
        return subprocess.Popen(
            [self.bin / "bash", "-c", limit, "bash", SCRIPT, *arguments],
            cwd=self.folder,
            env=environment,
            text=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )

    def __call__(self, *arguments, **options):
        process = self.start(*arguments, **options)
        process.out, process.err = process.communicate(timeout=120)
        return process


@pytest.fixture(params=["curl", "wget"])
def shell(request, tmp_path, server):
    """The script with one of the two tools that download."""
    return Shell(tmp_path, server, request.param)


@pytest.fixture
def installed(tmp_path, server):
    """The script with the one of the two that this machine has."""
    return Shell(tmp_path, server, "curl" if shutil.which("curl") else "wget")


@pytest.fixture
def offline(tmp_path, server):
    """The script with neither of them."""
    return Shell(tmp_path, server)


def nothing_works_in(data):
    lock = os.open(data, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


def last(process):
    return process.err.splitlines()[-1]


def failed(process, message):
    assert (last(process), process.returncode) == (f"download.sh: error: {message}", 2)
    assert process.out == ""
    return True


def test_archive_comes_and_is_unpacked_quietly(shell):
    shell.server.files["/imdb_crop.tar"] = TAR
    done = shell("imdb")
    assert (done.returncode, done.out) == (0, "")
    assert done.err == (
        f"downloading {shell.server.address}/imdb_crop.tar\n"
        "unpacking data/imdb_crop.tar\n"
        "data/imdb_crop is ready; data/imdb_crop.tar may be deleted\n"
    )
    assert tree(shell.data) == {"imdb_crop.tar": TAR, **UNPACKED}
    assert shell.server.asked == [("/imdb_crop.tar", None)]


def test_no_name_gets_imdb_and_wiki(shell):
    shell.server.files.update({"/imdb_crop.tar": TAR, "/wiki_crop.tar": tar("wiki_crop")})
    done = shell()
    assert done.returncode == 0
    assert last(done) == "data/wiki_crop is ready; data/wiki_crop.tar may be deleted"
    assert tree(shell.data / "imdb_crop") == tree(shell.data / "wiki_crop") == PICTURES


def test_several_names_get_each_of_them(shell):
    archives = {"/appa/appa-real-release.zip": ZIP, "/wiki_crop.tar": tar("wiki_crop")}
    shell.server.files.update(archives)
    done = shell("appa-real", "wiki")
    assert done.returncode == 0
    assert [path for path, _ in shell.server.asked] == list(archives)
    assert tree(shell.data / "appa-real-release") == tree(shell.data / "wiki_crop") == PICTURES
    assert len(list(shell.data.iterdir())) == 4


def test_progress_bar_appears_on_a_terminal(shell):
    shell.server.files["/imdb_crop.tar"] = TAR
    ours, theirs = pty.openpty()
    with shell.start("imdb", stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while process.poll() is None or b"deleted" not in seen:
            try:
                seen += os.read(ours, 4096)
            except OSError:
                break
    os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"\r[^\n]*100(\.0)?%", seen)


def test_connection_that_drops_is_resumed(shell):
    shell.server.files["/imdb_crop.tar"] = TAR
    shell.server.drops = [20000, 20000]
    shell.fake("sleep", 'echo "a pause of $1" >&2')
    done = shell("imdb")
    assert done.returncode == 0
    assert shell.server.asked == [("/imdb_crop.tar", start) for start in (None, 20000, 40000)]
    assert done.err.splitlines()[1:5] == [
        "the connection broke after 20000 bytes",
        "a pause of 3",
        "the connection broke after 40000 bytes",
        "a pause of 3",
    ]
    assert tree(shell.data) == {"imdb_crop.tar": TAR, **UNPACKED}


def test_connection_that_is_away_for_a_moment_is_resumed(shell):
    shell.server.files["/imdb_crop.tar"] = TAR
    shell.server.drops = [20000, 0]
    assert shell("imdb").returncode == 0
    assert shell.server.asked[1:] == [("/imdb_crop.tar", 20000)] * 2
    assert tree(shell.data) == {"imdb_crop.tar": TAR, **UNPACKED}


def test_connection_that_stands_still_is_resumed(shell):
    shell.server.files["/imdb_crop.tar"] = TAR
    shell.server.hangs = 1
    # It calls anything slow after a second, instead of what brings nothing for a minute.
    shell.fake(shell.downloader, 'set -- "${@/#1/1000000000}"; exec $REAL "${@/%60/1}"')
    assert shell("imdb").returncode == 0
    assert len(shell.server.asked) == 2
    assert tree(shell.data) == {"imdb_crop.tar": TAR, **UNPACKED}


def test_address_that_moved_is_followed(shell):
    shell.server.moved["/imdb_crop.tar"] = "/new/imdb_crop.tar"
    shell.server.files["/new/imdb_crop.tar"] = TAR
    assert shell("imdb").returncode == 0
    assert tree(shell.data) == {"imdb_crop.tar": TAR, **UNPACKED}


def test_connection_that_always_drops_is_given_up_and_resumed_by_the_next_run(shell):
    content = tar(pictures={"1.jpg": os.urandom(120_000)})
    shell.server.files["/imdb_crop.tar"] = content
    shell.server.drops = [20000] * 5
    url = f"{shell.server.address}/imdb_crop.tar"
    assert failed(shell("imdb"), f"{url}: the connection keeps breaking: {AGAIN} to resume")
    assert tree(shell.data) == {"imdb_crop.tar.part": content[:100_000]}
    done = shell("imdb")
    assert done.returncode == 0
    assert done.err.startswith(f"resuming {url}\n")
    assert shell.server.asked[-1] == ("/imdb_crop.tar", 100_000)
    assert (shell.data / "imdb_crop.tar").read_bytes() == content


def test_server_without_ranges_gives_the_right_file_after_a_drop(shell):
    shell.server.files["/imdb_crop.tar"] = TAR
    shell.server.knows_ranges = False
    shell.server.drops = [20000]
    assert shell("imdb").returncode == 0
    assert tree(shell.data) == {"imdb_crop.tar": TAR, **UNPACKED}


def test_partial_file_that_is_whole_is_taken(shell):
    shell.server.files["/imdb_crop.tar"] = TAR
    shell.data.mkdir()
    (shell.data / "imdb_crop.tar.part").write_bytes(TAR)
    assert shell("imdb").returncode == 0
    assert shell.server.asked == [("/imdb_crop.tar", len(TAR))]
    assert tree(shell.data) == {"imdb_crop.tar": TAR, **UNPACKED}


@pytest.mark.parametrize("status", [404, 503])
def test_refusal_of_the_server_is_said_and_leaves_nothing(shell, status):
    shell.server.status = status
    url = f"{shell.server.address}/imdb_crop.tar"
    assert failed(shell("imdb"), f"{url}: the server answered {status}")
    assert list(shell.data.iterdir()) == []
    assert len(shell.server.asked) == 1


def test_refusal_of_the_server_keeps_what_an_earlier_run_brought(shell):
    shell.server.status = 503
    shell.data.mkdir()
    (shell.data / "imdb_crop.tar.part").write_bytes(b"begun")
    assert shell("imdb").returncode == 2
    assert tree(shell.data) == {"imdb_crop.tar.part": b"begun"}


def test_no_network_is_said_and_leaves_nothing(shell):
    shell.server.address = "http://127.0.0.1:1"
    done = shell("imdb")
    assert re.fullmatch(
        r"download.sh: error: nothing came from http://127.0.0.1:1/imdb_crop.tar "
        rf"\(.*(refused|connect).*\): check the network, then {AGAIN}",
        last(done),
    )
    assert done.returncode == 2
    assert list(shell.data.iterdir()) == []


def member(name, kind=tarfile.REGTYPE, **settings):
    info = tarfile.TarInfo(name)
    info.type = kind
    for setting, value in settings.items():
        setattr(info, setting, value)
    return info


def with_members(*members):
    """A tar of pictures, and of members that have no content."""
    with io.BytesIO(TAR) as file:
        with tarfile.open(fileobj=file, mode="a") as archive:
            for each in members:
                archive.addfile(each)
        return file.getvalue()


def odd(name, kind=tarfile.REGTYPE, **settings):
    """The same with one such member."""
    return with_members(member(name, kind, **settings))


def with_entry(name, mode=0, content=b"x", **settings):
    """A zip of pictures, and of an entry with the mode of a file."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    for setting, value in settings.items():
        setattr(info, setting, value)
    with io.BytesIO(ZIP) as file:
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(info, content)
        return file.getvalue()


DAMAGED = TAR.replace(b"imdb_crop/01/1.jpg", b"imdb_crop/01/X.jpg")
DAMAGED_ZIP = ZIP.replace(PICTURES["07/7.jpg"], bytes(3000))
BETWEEN_FILES = TAR[: 10 * TAR.index(b"imdb_crop/01/1.jpg")]
BZIP2 = with_entry("a", compress_type=zipfile.ZIP_BZIP2)
PAGE = b"<html>Log in</html>" * 99
NEITHER = "it holds what is neither file nor folder: '"
ELSEWHERE = "it holds a file for another folder: '"
BAD = {
    "page": ("imdb", PAGE, "it is damaged (ReadError)"),
    "nothing": ("imdb", b"", "it is damaged (ReadError)"),
    "compressed": ("imdb", gzip.compress(TAR), "it is damaged (ReadError)"),
    "cut": ("imdb", TAR[:30_000], "it is damaged (ReadError)"),
    "cut between files": ("imdb", BETWEEN_FILES, "its end is missing"),
    "damaged": ("imdb", DAMAGED, "it is damaged"),
    "empty": ("imdb", tar(pictures={}), "it holds no folder imdb_crop"),
    "other": ("imdb", tar("other"), "it holds no folder imdb_crop"),
    "link": ("imdb", odd("imdb_crop/a", tarfile.SYMTYPE, linkname="0"), f"{NEITHER}imdb_crop/a'"),
    "hard link": ("imdb", odd("imdb_crop/b", tarfile.LNKTYPE), f"{NEITHER}imdb_crop/b'"),
    "device": ("imdb", odd("imdb_crop/c", tarfile.CHRTYPE), f"{NEITHER}imdb_crop/c'"),
    "pipe": ("imdb", odd("imdb_crop/\x1b", tarfile.FIFOTYPE), rf"{NEITHER}imdb_crop/\x1b'"),
    "above": ("imdb", odd("imdb_crop/../../a"), f"{ELSEWHERE}imdb_crop/../../a'"),
    "absolute": ("imdb", odd("/tmp/a"), f"{ELSEWHERE}/tmp/a'"),
    "bomb": ("imdb", sparse("imdb_crop/a", 2**40), "it holds more than the expected 12 GB"),
    "negative": ("imdb", claimed(-512), "it holds more than the expected 12 GB"),
    "long header": ("imdb", claimed(2**33, b"x"), "it claims a part of impossible size"),
    "page for zip": ("appa-real", PAGE, "it is damaged (BadZipFile)"),
    "cut zip": ("appa-real", ZIP[:30_000], "it is damaged (BadZipFile)"),
    "damaged zip": ("appa-real", DAMAGED_ZIP, "it is damaged (BadZipFile)"),
    "link in zip": ("appa-real", with_entry("a/b", 0o120777), f"{NEITHER}a/b'"),
    "pipe in zip": ("appa-real", with_entry("a/b", 0o010777), f"{NEITHER}a/b'"),
    "above in zip": ("appa-real", with_entry("../a"), f"{ELSEWHERE}../a'"),
    "absolute in zip": ("appa-real", with_entry("/tmp/a"), f"{ELSEWHERE}/tmp/a'"),
    "bzip2": ("appa-real", BZIP2, "'a' is compressed in an unusual way"),
}


@pytest.mark.parametrize("what", BAD)
def test_archive_that_is_not_what_it_should_be_is_removed(offline, what):
    name, content, reason = BAD[what]
    archive = ARCHIVES[name]
    offline.put(archive, content)
    assert failed(offline(name), f"data/{archive} was removed: {reason}: {AGAIN}")
    assert list(offline.data.iterdir()) == []


def test_special_bits_and_what_lies_beside_the_folder_are_left_out(offline):
    special = member("imdb_crop/a", mode=0o6777, uid=12, gid=12), member("b/c")
    offline.put(
        "imdb_crop.tar", with_members(member("imdb_crop", tarfile.DIRTYPE, mode=0o7), *special)
    )
    os.umask(before := os.umask(0))
    assert offline("imdb").returncode == 0
    assert tree(offline.data / "imdb_crop") == {**PICTURES, "a": b""}
    for path, mode in (("imdb_crop", 0o777), ("imdb_crop/a", 0o666)):
        found = (offline.data / path).lstat()
        assert stat.S_IMODE(found.st_mode) == mode & ~before
        assert (found.st_uid, found.st_gid) == (os.getuid(), offline.data.stat().st_gid)
    assert sorted(path.name for path in offline.data.iterdir()) == ["imdb_crop", "imdb_crop.tar"]


def test_more_than_the_expected_size_is_not_kept(shell):
    size = 3_000_000 * 1024
    output = '"${@#--output-document=}"' if shell.downloader == "wget" else '"$@"'
    shell.fake(
        shell.downloader,
        f'[ "$(ulimit -f)" = 3000000 ] && for file in {output}; do case $file in *.part) '
        f'{shutil.which("truncate")} -s {size} "$file" ;; esac; done; exit 3',
    )
    url = f"{shell.server.address}/wiki_crop.tar"
    assert failed(shell("wiki"), f"{url}: more than the expected 3 GB came")
    assert list(shell.data.iterdir()) == []


def test_run_after_a_bad_archive_starts_afresh(installed):
    installed.server.files["/imdb_crop.tar"] = TAR[:30_000]
    assert installed("imdb").returncode == 2
    installed.server.files["/imdb_crop.tar"] = TAR
    assert installed("imdb").returncode == 0
    assert installed.server.asked == [("/imdb_crop.tar", None)] * 2
    assert tree(installed.data) == {"imdb_crop.tar": TAR, **UNPACKED}


def test_folder_that_is_there_is_left_alone(offline):
    (offline.data / "imdb_crop").mkdir(parents=True)
    (offline.data / "imdb_crop" / "mine.jpg").write_bytes(b"mine")
    done = offline("imdb")
    assert (done.returncode, done.err) == (0, "data/imdb_crop is already there: left alone\n")
    assert tree(offline.data) == {"imdb_crop/mine.jpg": b"mine"}


@pytest.mark.parametrize(
    "name, folder, archive, content",
    [
        ("wiki", "wiki_crop", "wiki_crop.tar", tar("wiki_crop")),
        ("appa-real", "appa-real-release", "appa-real-release.zip", ZIP),
    ],
)
def test_archive_that_is_there_is_only_unpacked(offline, name, folder, archive, content):
    offline.put(archive, content)
    done = offline(name)
    assert done.err.startswith(f"data/{archive} is already there: not downloaded again\n")
    assert done.returncode == 0
    files = {f"{folder}/{path}": picture for path, picture in PICTURES.items()}
    assert tree(offline.data) == {archive: content, **files}


def test_warnings_of_tar_do_not_end_it(offline):
    offline.put("imdb_crop.tar", tar(date=time.time() + 1e6))
    assert offline("imdb").returncode == 0
    assert tree(offline.data / "imdb_crop") == PICTURES


def test_python_file_in_the_current_folder_is_not_run(offline):
    offline.put("appa-real-release.zip", ZIP)
    (offline.folder / "argparse.py").write_text("raise SystemExit")
    assert offline("appa-real").returncode == 0
    assert tree(offline.data / "appa-real-release") == PICTURES


@pytest.mark.parametrize("name, content", [("imdb", TAR), ("appa-real", ZIP)])
def test_full_disk_while_unpacking_is_said(offline, name, content):
    archive = ARCHIVES[name]
    offline.put(archive, content)
    done = offline(name, largest=2)
    assert failed(done, f"data/{archive} cannot be unpacked: File too large")
    assert tree(offline.data) == {archive: content}
    assert not list(offline.data.glob("*.unpacking"))
    assert offline(name).returncode == 0


def test_full_disk_while_downloading_is_said(shell):
    shell.server.files["/imdb_crop.tar"] = TAR
    done = shell("imdb", largest=8)
    assert failed(done, "data/imdb_crop.tar.part cannot be written: is the disk full?")
    assert tree(shell.data) == {"imdb_crop.tar.part": TAR[:8192]}
    assert shell("imdb").returncode == 0
    assert tree(shell.data) == {"imdb_crop.tar": TAR, **UNPACKED}


def test_kill_while_unpacking_lets_the_next_run_unpack_afresh(offline):
    offline.put("imdb_crop.tar", TAR)
    offline.fake("python3", 'cd data && mkdir -p "${4#data/}/imdb_crop" && kill -9 0')
    assert offline("imdb").returncode == -signal.SIGKILL
    assert (offline.data / "imdb_crop.unpacking" / "imdb_crop").is_dir()
    offline.restore("python3")
    assert offline("imdb").returncode == 0
    assert tree(offline.data) == {"imdb_crop.tar": TAR, **UNPACKED}
    assert not (offline.data / "imdb_crop.unpacking").exists()


def test_ctrl_c_keeps_the_archive_and_ends_what_runs(offline):
    offline.put("imdb_crop.tar", TAR)
    offline.fake("python3", f"kill -INT 0; exec {shutil.which('sleep')} 60")
    done = offline("imdb")
    assert (last(done), done.returncode) == (STOPPED, 130)
    assert (offline.data / "imdb_crop.tar").read_bytes() == TAR
    until(lambda: nothing_works_in(offline.data))
    offline.restore("python3")
    assert offline("imdb").returncode == 0
    assert tree(offline.data) == {"imdb_crop.tar": TAR, **UNPACKED}


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["script", "its children too"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_kill_ends_the_download_at_once_and_the_next_run_resumes_it(shell, kill, number):
    shell.server.files["/imdb_crop.tar"] = TAR
    shell.server.hangs = 1
    process = shell.start("imdb")
    assert shell.server.sent.wait(120)
    until(lambda: any(tree(shell.data).values()))
    kill(process.pid, number)
    process.out, process.err = process.communicate(timeout=120)
    assert (last(process), process.returncode) == (STOPPED, 130)
    until(lambda: nothing_works_in(shell.data))
    held = len(tree(shell.data)["imdb_crop.tar.part"])
    assert shell("imdb").returncode == 0
    assert shell.server.asked[-1] == ("/imdb_crop.tar", held)
    assert tree(shell.data) == {"imdb_crop.tar": TAR, **UNPACKED}


def test_second_run_waits_for_the_first(offline):
    offline.put("imdb_crop.tar", TAR)
    lock = os.open(offline.data, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    process = offline.start("imdb")
    assert process.stderr.readline() == "waiting for another download.sh that is running in data\n"
    assert [path.name for path in offline.data.iterdir()] == ["imdb_crop.tar"]
    os.close(lock)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert tree(offline.data) == {"imdb_crop.tar": TAR, **UNPACKED}


def test_file_system_without_locks_is_said_and_does(offline):
    offline.put("imdb_crop.tar", TAR)
    offline.fake("flock", "exit 66")
    done = offline("imdb")
    assert (
        done.err.splitlines()[1] == "this file system has no locks: do not run this twice at once"
    )
    assert done.returncode == 0
    assert tree(offline.data) == {"imdb_crop.tar": TAR, **UNPACKED}


@pytest.mark.parametrize("names", [["utkface"], ["imdb", "utkface"]])
def test_unknown_name_is_one_line_before_anything_is_done(shell, names):
    done = shell(*names)
    assert failed(done, "there is no 'utkface': give imdb, wiki or appa-real")
    assert done.err.count("\n") == 1
    assert not shell.data.exists()


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_what_there_is_and_the_addresses(offline, option):
    done = offline(option)
    assert (done.returncode, done.err) == (0, "")
    assert done.out.startswith("usage: download.sh [imdb | wiki | appa-real] ...\n")
    assert f"  IMDB_WIKI_URL  folder of the two .tar files: {offline.server.address}\n" in done.out
    assert f"  APPA_REAL_URL  folder of the .zip file: {offline.server.address}/appa/\n" in done.out
    assert not offline.data.exists()


def test_addresses_are_those_of_the_publishers(offline):
    offline.environment = {}
    said = offline("--help").out
    assert " https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/static\n" in said
    assert said.endswith(" https://data.chalearnlap.cvc.uab.cat/AppaRealAge\n")


def test_neither_curl_nor_wget_is_one_line(offline):
    done = offline("imdb")
    assert failed(done, "missing curl: run as root: apt-get install -y curl")
    assert done.err.count("\n") == 1
    assert list(offline.data.iterdir()) == []


@pytest.mark.parametrize("name", ["imdb", "appa-real"])
def test_missing_unpacker_is_said_before_the_download(installed, name):
    (installed.bin / "python3").unlink()
    assert failed(installed(name), "missing python3: run as root: apt-get install -y python3")
    assert installed.server.asked == []


def test_data_that_is_no_folder_is_one_line(offline):
    offline.data.write_bytes(b"")
    done = offline("imdb")
    assert failed(done, f"{offline.data} cannot be created")
    assert done.err.count("\n") == 1


def test_script_can_be_run_and_shellcheck_finds_nothing():
    assert os.access(SCRIPT, os.X_OK)
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    found = subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True)
    assert (found.stdout, found.returncode) == ("", 0)
