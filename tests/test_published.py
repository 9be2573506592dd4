import hashlib
import os

import pytest

from age_gender import download, published
from age_gender.command_line import UserError

NAME = "weights.28-3.73.hdf5"


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr(download, "download", None)


def test_file_is_found_by_its_path_and_the_shipped_one_without_a_name(tmp_path):
    path = tmp_path / NAME
    path.touch()
    assert published.find(path, None) == published.find(str(path), None) == path
    assert published.find(None, None) == published.FOLDER / published.SHIPPED


def test_published_file_that_is_there_is_not_downloaded_again(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    monkeypatch.setattr(published.installation, "CHECKOUT", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).touch()
    assert published.find(NAME, None).resolve() == tmp_path / NAME


def test_folder_and_unknown_name_are_one_line(tmp_path):
    with pytest.raises(UserError, match=f"^{tmp_path} is a folder: name a file in it$"):
        published.find(tmp_path, None)
    with pytest.raises(UserError, match=f"^{os.devnull} is not a regular file$"):
        published.find(os.devnull, None)
    with pytest.raises(UserError, match=f"none.hdf5 does not exist: give a file, one of .*{NAME}"):
        published.find(tmp_path / "none.hdf5", None)


def test_facts_are_known_by_the_name_or_by_the_content(tmp_path, monkeypatch):
    assert published.facts_of(tmp_path / f"{NAME}.part")["data"] == "IMDB-WIKI (imdb)"
    renamed = tmp_path / "mine.hdf5"
    renamed.write_bytes(b"weights")
    assert published.facts_of(renamed) == {}
    facts = {"md5": hashlib.md5(b"weights").hexdigest()}
    monkeypatch.setattr(published, "PUBLISHED", {"other.hdf5": facts})
    assert published.facts_of(renamed) == facts
