"""Training histories as pandas writes them into HDF5 files, read without pandas.

pandas and PyTables unpickle what they find in a file, and a pickle is a program. Of a history only
numbers and column names are needed, and only these are read.
"""

import pickletools

from age_gender import hdf5
from age_gender.command_line import UserError
from age_gender.hdf5 import printable
from age_gender.stored import Unreadable

EPOCHS, BLOCKS = 10**6, 1000  # most
# of a pickled list of texts
OPCODES = {"PROTO", "FRAME", "MARK", "LIST", "EMPTY_LIST", "APPEND", "APPENDS", "STOP"}
OPCODES |= {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
TEXTS = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE"}


def read(path):
    """Read a history: a dict of columns, (N,) float64 for N epochs, by name.

    Raises `UserError` if the file is not a history.
    """
    try:
        with hdf5.opened(path) as file:
            group = file.group("history")
            columns = _table(group) if "table" in group else _frame(group)
            if "loss" not in columns:
                raise Unreadable("it has no column 'loss'")
            if {len(column) for column in columns.values()} != {len(columns["loss"]) or 1}:
                raise Unreadable("its columns have no epochs, or different ones")
        return columns
    except Unreadable as problem:
        raise UserError(f"{path} is not a training history of train.py: {problem}") from problem


def _frame(group):
    """The columns of pandas's format "fixed": blocks of columns of one type."""
    columns = {}
    count = group.attribute("nblocks")
    if not isinstance(count, int) or not 0 <= count <= BLOCKS:
        raise Unreadable("its 'history' is not a table")
    for number in range(count):
        names, values = (group.array(f"block{number}_{part}") for part in ("items", "values"))
        if names.dtype.kind != "S" or len(names.shape) != 1:
            raise Unreadable("its columns have no names")
        names = names.read().tolist()
        values = _numbers(values, values.shape[-1:] == (len(names),) and len(values.shape) == 2)
        columns |= _named([name.decode("utf-8", "replace") for name in names], values)
    return columns


def _table(group):
    """The columns of pandas's format "table": a structure for each row."""
    table = group.array("table")
    if not table.dtype.names or len(table.shape) != 1:
        raise Unreadable("its 'history' is not a table")
    rows, columns = _numbers(table, True), {}
    for name in set(table.dtype.names) - {"index"}:
        values = rows[name]
        if values.dtype.kind not in "iuf":
            continue
        if not name.startswith("values_block_"):
            columns |= _named([name], values.reshape(-1, 1))
            continue
        names = _texts(group.attribute(f"{name}_kind", of="table", raw=True))
        columns |= _named(names, values.reshape(len(values), -1))
    return columns


def _numbers(array, fits):
    if not fits or len(array) > EPOCHS or array.dtype.kind not in "iufV":
        raise Unreadable("its columns are not numbers")
    return array.read()


def _named(names, values):
    if len(names) != values.shape[1]:
        raise Unreadable("its columns have no names")
    return {printable(name): column.astype(float) for name, column in zip(names, values.T)}


def _texts(pickled):
    """The texts of a pickled list, which is looked through, not executed."""
    if not isinstance(pickled, bytes):
        raise Unreadable("its columns have no names")
    found = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in TEXTS:
            found.append(argument)
        elif opcode.name not in OPCODES:
            raise Unreadable("its columns have no names")
    return found
