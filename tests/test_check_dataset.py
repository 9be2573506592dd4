import json

import cv2
import numpy as np
import pytest
import scipy.io

from conftest import ROOT

NOTEBOOK = ROOT / "check_dataset.ipynb"


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """Execute the notebook in a folder; returns (printed lines, number of figures)."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))

    def execute(folder):
        import nbformat  # here, because they cost half a second
        from nbclient import NotebookClient

        notebook = nbformat.read(NOTEBOOK, 4)
        where = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=200, resources=where).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        printed = "".join(output.text for output in outputs if output.output_type == "stream")
        figures = [output for output in outputs if "image/png" in output.get("data", ())]
        return printed.splitlines(), len(figures)

    return execute


def write_crops(folder):
    """A metadata file of six rows; the pictures of three are there, one of them damaged."""
    folder.mkdir(parents=True)
    columns = {
        "dob": np.array([[720000] * 5 + [740000]]),  # 1971; 2026
        "photo_taken": np.array([[2000, 2001, 2002, 2003, 2004, 2005]], np.uint16),
        "gender": np.array([[0.0, 1.0, np.nan, 1.0, 0.0, 1.0]]),
        "face_score": np.array([[4.0, 2.0, 3.0, -np.inf, 5.5, 3.0]]),
        "second_face_score": np.array([[np.nan, 1.5, np.nan, np.nan, np.nan, np.nan]]),
        "full_path": np.array([[f"{row}.jpg" for row in range(6)]], object),
    }
    for row in range(2):
        picture = np.full((40, 40, 3), 100 * row, np.uint8)
        (folder / f"{row}.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    (folder / "2.jpg").write_bytes(b"GIF89a")
    scipy.io.savemat(folder / "wiki.mat", {"wiki": columns})


def test_notebook_shows_the_metadata_and_says_which_pictures_are_missing(tmp_path, executed):
    write_crops(tmp_path / "data" / "wiki_crop")
    assert executed(tmp_path) == (
        [
            "rows: 6",
            "rows without a face: 1, with a second face: 1",
            "     1 dropped: face score below 1.0",
            "     1 dropped: a second face",
            "     1 dropped: age not in 0 to 100",
            "     1 dropped: no gender",
            "     2 kept of 6",
            "ages from -21 to 33, not in 0 to 100: 1",
            "rows without a gender: 1",
            "pictures shown: 4, missing below data/wiki_crop: 6",
        ],
        3,
    )


def test_notebook_runs_on_the_real_metadata_without_the_pictures(tmp_path, executed, shared):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wiki_crop").symlink_to(shared / "wiki_crop")
    printed, figures = executed(tmp_path)
    assert " 38138 kept of 62328" in printed and figures == 3
    assert printed[-1] == "pictures shown: 0, missing below data/wiki_crop: 64"


def test_notebook_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
