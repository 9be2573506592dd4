import os

import pytest

from age_gender.command_line import UserError
from age_gender.data.label_table import Table, first_fields

PLAIN = "file_name,note,age\na.jpg,x,33.5\nb.jpg,y,4\n"


def table_of(tmp_path, content):
    path = tmp_path / "labels.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Table(path, ["file_name", "age"])


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.rstrip("\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";").replace("33.5", "33,5"),
        PLAIN.replace("33.5", '"33,5"'),
        PLAIN.replace("33.5", "3.35e1"),
        "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        '"File_Name","note","AGE"\n"a.jpg","x, or y","33.5"\n"b.jpg","","4"\n',
        ' "file_name" , note , age \n "a.jpg" , x , 33.5 \n b.jpg,y,"4 "\n',
        "\n" + PLAIN.replace("\n", "\n\n,,\n"),
        PLAIN.replace("\n", ",,\n"),
        "age,file_name\n33.5,a.jpg\n4,b.jpg\n",
    ],
)
def test_table_is_read_where_its_meaning_is_plain(tmp_path, content):
    table = table_of(tmp_path, content)
    assert table.texts("file_name") == ["a.jpg", "b.jpg"]
    assert table.numbers("age", 0, 122) == [33.5, 4]


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "-Infinity", "thirty", "-3", "123", "1.234,5", "3_3", "33 5", "٣٣", "0x20"],
)
def test_what_is_no_age_is_named_with_its_row(tmp_path, text):
    table = table_of(tmp_path, f"file_name;age\na.jpg;4\n\nb.jpg;{text}\n")
    with pytest.raises(UserError) as error:
        table.numbers("age", 0, 122)
    assert str(error.value) == (
        f"{tmp_path}/labels.csv, row 4: age must be a number from 0 to 122, received {text!r}"
    )


@pytest.mark.parametrize(
    "content, message",
    [
        ("", " has no column file_name and no age: a table with file_name, age is needed"),
        ("name,age\na,1\n", " has no column file_name: a table with file_name, age is needed"),
        ("file_name,age,age\na,1,2\n", " has the column age 2 times"),
        ("file_name,age\n\n", " has no row below its header"),
        ("file_name,age\na.jpg,\n", ", row 2: it has no age"),
        ("file_name,age\na.jpg,4\n,4\n", ", row 3: it has no file_name"),
        ("file_name,age\na.jpg\n", ", row 2: it has no age"),
        (
            "file_name,age\na.jpg,33,5\n",
            ", row 2: 3 fields under 2 columns: one with a separator in it, like a decimal "
            "comma, needs quotes",
        ),
        ('file_name,age\n"a.jpg,4\nb.jpg,4\n', ", row 2: a quote is not closed"),
        (
            'file_name,age\na,1\n"' + "x" * 200_000,
            ", row 3: it cannot be read: field larger than field limit (131072)",
        ),
        (b"file_name,age\n\0\0\0", " is not a text: it cannot be a table of labels"),
        (b"\xff\xfea", " is damaged: it is not UTF-16"),
        (b"\x89PNG\r\n\x1a\n", " has no column file_name and no age: a table with file_name"),
    ],
)
def test_what_is_not_plain_is_one_line(tmp_path, content, message):
    with pytest.raises(UserError) as error:
        table_of(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path}/labels.csv{message}")
    assert "\n" not in str(error.value)


def test_file_names_that_are_no_text_stay_as_the_system_has_them(tmp_path):
    table = table_of(tmp_path, b"file_name,age\n\xff.jpg,3\n")
    assert os.fsencode(table.texts("file_name")[0]) == b"\xff.jpg"


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name, state in (("fifo", "is not a file"), ("", "is not a file"), ("no", "does not exist")):
        with pytest.raises(UserError, match=f"{state}$"):
            Table(tmp_path / name, ["age"])


@pytest.mark.parametrize(
    "content", ["a.jpg\nb.jpg;x\n\n", "\ufeffa.jpg\tx\r\n'b.jpg\n", '"a.jpg"\n']
)
def test_first_fields_are_those_of_a_list_too(tmp_path, content):
    path = tmp_path / "list.txt"
    path.write_text(content, encoding="utf-8")
    assert first_fields(path)[0] == "a.jpg"
