import pytest

from age_gender.command_line import Parser, UserError
from age_gender.data.options import add_options, refuse_existing


def test_existing_output_is_refused_unless_it_is_to_be_replaced(tmp_path):
    output = tmp_path / "a.mat"
    refuse_existing(output, overwrite=False)
    output.write_text("precious")
    refuse_existing(output, overwrite=True)
    with pytest.raises(UserError) as error:
        refuse_existing(output, overwrite=False)
    assert str(error.value) == f"--output {output} exists: add --overwrite to replace it"
    with pytest.raises(UserError) as error:
        refuse_existing(tmp_path, overwrite=True)
    assert str(error.value) == (
        f"--output {tmp_path} is a folder: give a file name that ends in .mat"
    )


def test_size_of_faces_keeps_its_default_and_bounds(capsys):
    parser = Parser()
    add_options(parser, img_size=32)
    assert parser.parse_args(["-o", "a.mat"]).img_size == 32
    with pytest.raises(SystemExit):
        parser.parse_args(["-o", "a.mat", "--img_size", "4"])
    assert "must be a whole number from 8 to 1024, received '4'" in capsys.readouterr().err
