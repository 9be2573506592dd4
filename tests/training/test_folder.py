import os

import pytest

from age_gender import files
from age_gender.command_line import UserError
from age_gender.training.folder import clear, held, is_resumed

RUN = ["history_10_1.csv", "history_10_1.h5", "run_10_1.json", "weights.01-5.20.hdf5"]
OWN = ["UTKFace_64.mat", "best.hdf5", "notes.txt", "run_10_1.json.bak"]


@pytest.fixture
def folder(tmp_path):
    """One in which a training has ended, with other files too."""
    for name in RUN + OWN:
        (tmp_path / name).write_text("precious")
    (tmp_path / "logs_10_1").mkdir()
    return tmp_path


def test_second_training_at_the_same_time_is_refused(tmp_path):
    folder = tmp_path / "new" / "run"
    with held(folder):
        with pytest.raises(UserError) as error, held(folder):
            pass
        assert str(error.value) == (
            f"another training is writing to {folder}: wait for its end, or give another folder"
        )
        (folder / "history_10_1.h5").touch()
    assert os.listdir(folder) == ["history_10_1.h5"]
    with held(folder):
        pass


def test_folder_of_a_training_that_wrote_nothing_is_removed(tmp_path):
    with pytest.raises(UserError), held(tmp_path / "new" / "run"):
        raise UserError("no")
    assert os.listdir(tmp_path) == []


def test_file_system_without_locks_is_warned_of(tmp_path, monkeypatch, capsys):
    def refuse(file):
        raise OSError(files.NO_LOCKS[0], "No locks available")

    monkeypatch.setattr(files, "_lock", refuse)
    with held(tmp_path / "run"):
        pass
    assert capsys.readouterr().err.startswith(f"warning: {tmp_path}/run/.lock: no locks on this")


def test_earlier_training_is_replaced_only_if_asked_for(folder):
    state = folder / "state_16_8.npz"
    with pytest.raises(UserError) as error:
        is_resumed(folder, state, resume=False, overwrite=False)
    assert str(error.value) == (
        f"--output_path: {folder} holds an earlier training (history_10_1.csv): give another "
        "folder, or add --overwrite to replace it"
    )
    assert not is_resumed(folder, state, resume=False, overwrite=True)
    assert sorted(os.listdir(folder)) == sorted([*RUN, *OWN, "logs_10_1"])


def test_what_has_no_results_is_no_earlier_training(tmp_path):
    for name in (*OWN, "run_10_1.json"):
        (tmp_path / name).touch()
    assert not is_resumed(tmp_path, tmp_path / "state_10_1.npz", resume=False, overwrite=False)


def test_unfinished_run_is_resumed_or_replaced(folder):
    state = folder / "state_10_1.npz"
    with pytest.raises(UserError, match=f"no unfinished run .{state} does not exist"):
        is_resumed(folder, state, resume=True, overwrite=False)
    state.touch()
    assert is_resumed(folder, state, resume=True, overwrite=False)
    assert is_resumed(folder, state, resume=True, overwrite=True)
    assert not is_resumed(folder, state, resume=False, overwrite=True)
    with pytest.raises(UserError) as error:
        is_resumed(folder, state, resume=False, overwrite=False)
    assert str(error.value) == (
        f"{state} is an unfinished run: add --resume to resume it, or --overwrite to replace it"
    )


def test_replacing_removes_what_trainings_write_but_the_weights_that_are_needed(folder):
    (folder / "weights.02-4.10.hdf5").touch()
    clear(folder, kept=[folder / "weights.01-5.20.hdf5"])
    assert sorted(os.listdir(folder)) == sorted([*OWN, "weights.01-5.20.hdf5"])
