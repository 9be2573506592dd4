"""What JAX does by itself is tested where tests run on JAX: see test_on_device.py."""

import os
import zlib
from pathlib import Path

import keras
import pytest

from age_gender.command_line import UserError
from age_gender.training import compilation

jax_only = pytest.mark.skipif(keras.backend.backend() != "jax", reason="not on JAX")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "age-gender-estimation" / "compiled"


@pytest.fixture
def jax(monkeypatch):
    """JAX without what is compiled in memory, and at the end as it was."""
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    yield jax
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def compiled(jax):
    """The result of a function that JAX compiles anew in memory, and the files of its cache."""
    jax.clear_caches()
    result = float(jax.jit(lambda x: (x * 3 + 1).sum())(jax.numpy.arange(5.0)))
    files = Path(jax.config.jax_compilation_cache_dir).iterdir()
    return result, {path.name: path.read_bytes() for path in files}


@jax_only
def test_what_is_compiled_is_kept_found_and_made_again_where_damaged(folder, jax, recwarn):
    compilation.keep()
    (made,) = folder.iterdir()
    assert jax.config.jax_compilation_cache_dir == str(made)
    assert [each.stat().st_mode & 0o777 for each in (folder, made)] == [0o700, 0o700]
    result, files = compiled(jax)
    assert result == 35 and files
    assert compiled(jax) == (35, files)
    for name, content in files.items():
        (made / name).write_bytes(content[: len(content) // 2])
    assert compiled(jax)[0] == 35
    assert not recwarn.list
    jax.config.update("jax_compilation_cache_dir", None)
    compilation.keep()
    assert not list(made.iterdir())
    assert compiled(jax)[1].keys() == files.keys()


@jax_only
def test_folder_that_the_user_has_named_is_kept_to(folder, jax, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "named"))
    compilation.keep()
    assert not folder.exists()


@jax_only
def test_folder_of_others_is_left_alone_in_one_line(folder, jax, capsys):
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    compilation.keep()
    said = f"what is compiled is not kept for later runs: other users may write to {folder}\n"
    assert capsys.readouterr().err == said
    assert jax.config.jax_compilation_cache_dir is None and not list(folder.iterdir())


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners here")
@pytest.mark.parametrize("kind", ["open", "link", "file", "open above"])
def test_folder_that_others_may_write_to_is_refused(folder, tmp_path, kind):
    folder.parent.mkdir()
    if kind == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    elif kind == "file":
        folder.write_text("")
    else:
        folder.mkdir()
        (folder.parent if kind == "open above" else folder).chmod(0o720)
    with pytest.raises(UserError) as error:
        compilation._private(folder)
    named = folder.parent if kind == "open above" else folder
    assert str(error.value) == (
        f"other users may write to {named}" if "open" in kind else f"{named} is not a folder"
    )


def test_files_unused_for_longest_go_first_and_so_do_damaged_ones(folder, monkeypatch):
    monkeypatch.setattr(compilation, "MOST", 100)
    (folder / "machine").mkdir(parents=True)
    whole = zlib.compress(bytes(1000))
    contents = {"a-cache": whole, "b-cache": whole[:-1], "c-cache": b"", "d": b"x" * 50, "e": b"y"}
    for age, (name, content) in enumerate(contents.items()):
        path = folder / "machine" / name
        path.write_bytes(content)
        os.utime(path, (1e9 - age, 1e9 - age))
    assert len(whole) < 40
    compilation._tidy(folder)
    assert {path.name for path in folder.glob("*/*")} == {"a-cache", "d", "e"}
    monkeypatch.setattr(compilation, "MOST", len(whole) + 50)
    compilation._tidy(folder)
    assert {path.name for path in folder.glob("*/*")} == {"a-cache", "d"}


def test_nothing_is_kept_on_tensorflow(folder):
    if keras.backend.backend() == "tensorflow":
        compilation.keep()
        assert not folder.exists()
