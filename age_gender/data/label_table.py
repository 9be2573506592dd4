"""Tables of labels, as people and spreadsheets write them.

They are read where the meaning is plain, whatever the encoding (UTF-8 or UTF-16, with a byte order
mark or without), the separator, the line ends, quotes and blanks; decimal commas too. What is not
plain is an error that names the row, counted as spreadsheets do: the header is row 1.
"""

import codecs
import csv
import io
import os
import re
import stat

from age_gender.command_line import UserError

SEPARATORS = ",;\t|"
LARGEST = 2**26  # bytes; APPA-REAL's tables have 150 kB
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Table:
    """The rows of a table that are not blank.

    Attributes:
        path: of the file.
        rows: list of (row number, dict of each column's text, without blanks around it).
    """

    def __init__(self, path, columns, filled=None):
        """Read a file.

        Args:
            path: the file.
            columns: names of the columns that are needed, in lower case.
            filled: those that no row may leave empty; None for all.

        Raises `UserError` if it is not such a table.
        """
        self.path = path
        header, rows = _with_header(path, columns)
        missing = [name for name in columns if name not in header]
        if missing:
            raise UserError(
                f"{path} has no column {' and no '.join(missing)}: a table with "
                f"{', '.join(columns)} is needed"
            )
        for name in columns:
            if header.count(name) > 1:
                raise UserError(f"{path} has the column {name} {header.count(name)} times")
        self.rows = []
        for number, fields in rows:
            if len(fields) > len(header):
                raise UserError(
                    f"{path}, row {number}: {len(fields)} fields under {len(header)} columns: one "
                    "with a separator in it, like a decimal comma, needs quotes"
                )
            row = dict(zip(header, fields))
            for name in columns if filled is None else filled:
                if not row.get(name):
                    raise UserError(f"{path}, row {number}: it has no {name}")
            self.rows.append((number, row))
        if not self.rows:
            raise UserError(f"{path} has no row below its header")

    def texts(self, column):
        """The texts of a column, a list."""
        return [row[column] for _, row in self.rows]

    def numbers(self, column, low, high):
        """The numbers of a column, a list of floats. Raises `UserError` outside low to high."""
        values = []
        for number, row in self.rows:
            text = row[column]
            value = float(text.replace(",", ".")) if NUMBER.fullmatch(text) else None
            if value is None or not low <= value <= high:
                raise UserError(
                    f"{self.path}, row {number}: {column} must be a number from {low} to {high}, "
                    f"received {text!r}"
                )
            values.append(value)
        return values


def first_fields(path):
    """The first field of each row that is not blank, a list. Raises `UserError`."""
    text = _text(path)
    separator = max(SEPARATORS, key=text.count)
    return [fields[0] for _, fields in _rows(path, text, separator)]


def _with_header(path, columns):
    """The header and the rows, split at the separator that gives most of the columns."""
    text = _text(path)
    found = []
    for separator in SEPARATORS:
        first = next(_rows(path, text, separator), (0, []))[1]
        found.append((len(set(columns) & set(_names(first))), separator))
    separator = max(found, key=lambda each: each[0])[1]
    (_, header), *rows = [*_rows(path, text, separator)] or [(0, [])]
    return _names(header), rows


def _names(fields):
    return [name.lower() for name in fields]


def _rows(path, text, separator):
    """Yield (row number, fields) of the rows that are not blank; blank ends of rows are cut off."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    number = 0
    try:
        for number, fields in enumerate(reader, 1):
            fields = [field.strip() for field in fields]
            while fields and not fields[-1]:
                fields.pop()
            if any("\n" in field or "\r" in field for field in fields):
                raise UserError(f"{path}, row {number}: a quote is not closed")
            if fields and fields != ["sep="]:  # Excel's line on the separator
                yield number, fields
    except csv.Error as error:
        raise UserError(f"{path}, row {number + 1}: it cannot be read: {error}") from error


def _text(path):
    """The text of a file; bytes that are not UTF-8 are kept, as they are in file names."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UserError(f"{path} is not a file")
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist") from error
    if len(data) > LARGEST:
        raise UserError(f"{path} is larger than {LARGEST // 2**20} MB: it is no table of labels")
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:2]:  # of UTF-16 without its mark
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        text = data.decode(encoding, "surrogateescape" if "8" in encoding else "strict")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is damaged: it is not {error.encoding.upper()}") from error
    if "\0" in text:
        raise UserError(f"{path} is not a text: it cannot be a table of labels")
    return text
