import fcntl

import pytest

from age_gender.command_line import UserError
from age_gender.download import download

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def fetch(release_page, tmp_path):
    """A function that downloads CONTENT from a local server, and that server."""
    release_page.content = CONTENT

    def run(check=lambda path: None):
        download(release_page.address + "file", tmp_path / "new" / "file", check)
        return (tmp_path / "new" / "file").read_bytes()

    run.server, run.folder = release_page, tmp_path / "new"
    return run


def test_file_comes_whole_and_is_said(fetch, capsys):
    assert fetch() == CONTENT
    assert [path.name for path in fetch.folder.iterdir()] == ["file"]
    assert f"downloading {fetch.server.address}file (1 MB)" in capsys.readouterr().err


def test_interrupted_download_is_resumed(fetch, capsys):
    fetch.server.break_at = 1000
    with pytest.raises(UserError) as error:
        fetch()
    assert "run the command again to resume, or download http" in str(error.value)
    assert [path.name for path in fetch.folder.iterdir()] == ["file.part"]
    fetch.server.break_at = None
    assert fetch() == CONTENT
    assert fetch.server.ranges == [0, 1000]
    assert "resuming http" in capsys.readouterr().err


def test_server_that_knows_no_ranges_is_asked_for_all_again(fetch):
    fetch.folder.mkdir()
    (fetch.folder / "file.part").write_bytes(b"old")
    fetch.server.knows_ranges = False
    assert fetch() == CONTENT


def test_file_that_was_whole_but_not_named_is_taken(fetch):
    fetch.folder.mkdir()
    (fetch.folder / "file.part").write_bytes(CONTENT)
    assert fetch() == CONTENT


def test_file_that_fails_the_check_is_not_kept(fetch):
    def check(path):
        assert path.read_bytes() == CONTENT
        raise UserError("wrong")

    with pytest.raises(UserError, match="wrong"):
        fetch(check)
    assert list(fetch.folder.iterdir()) == []


def test_server_without_the_file_is_one_line(fetch):
    fetch.server.status = 404
    with pytest.raises(UserError) as error:
        fetch()
    assert str(error.value) == (
        f"file: the server answered 404 Not Found: download {fetch.server.address}file by hand and "
        f"put it at {fetch.folder}/file"
    )


def test_second_download_of_the_same_file_waits(fetch):
    fetch.folder.mkdir()
    with open(fetch.folder / "file.part", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError) as error:
            fetch()
    assert str(error.value) == "file.part is being downloaded by another process: wait"
