"""Damaged files of every kind are read, or refused with one line. More: benchmarks/fuzz.py."""

import pytest

from helpers import readers

FILES = 200  # damaged ones of each kind
MEMORY = 1e9  # bytes that a file may take beside what the tests hold


@pytest.mark.filterwarnings("ignore:Duplicate name")  # it is one of the damages
@pytest.mark.parametrize("reader", readers.READERS, ids=lambda reader: reader.name)
def test_damaged_file_is_read_or_refused_with_one_line(tmp_path, reader):
    fuzzer = readers.Fuzzer(reader, tmp_path)
    for path in fuzzer.good:
        assert fuzzer.judge(path) == "read"
    for seed in range(FILES):
        path = fuzzer.write(seed)
        readers.forget_peak()
        before = readers.peak_memory() or 0
        outcome = fuzzer.judge(path)
        assert outcome in ("read", "refused"), f"seed {seed}, {path.name}: {outcome}"
        assert (readers.peak_memory() or 0) - before < MEMORY, f"seed {seed}, {path.name}"
