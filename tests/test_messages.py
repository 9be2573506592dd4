from age_gender.messages import progress


def test_progress_off_a_terminal_is_plain_lines(capsys):
    assert list(progress(range(3), 3, "pictures", every=0)) == [0, 1, 2]
    assert capsys.readouterr().err.splitlines() == [
        "1 of 3 pictures",
        "2 of 3 pictures",
        "3 of 3 pictures",
    ]
