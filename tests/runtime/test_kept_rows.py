"""A table of steps from a stranger: what is refused, and in which line."""

import pytest

from iwae_core.runtime.kept_rows import read_rows, write_rows

COLUMNS = ("step", "value")


def read(text, last=9):
    return read_rows(text, "t.csv", COLUMNS, last, lambda line: [float(cell) for cell in line])


def test_rows_come_back_as_they_were_written():
    rows = [[1.0, 0.5], [4.0, -2.0]]
    assert read(write_rows(COLUMNS, rows)) == rows
    assert read(write_rows(COLUMNS, [])) == []


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("1,2\n1,3\n", "line 3 of t.csv: its step is out of order"),
        ("2,2\n1,3\n", "line 3 of t.csv: its step is out of order"),
        ("10,2\n", "line 2 of t.csv: its step is out of order"),
        ("1.5,2\n", "line 2 of t.csv: its step is out of order"),
        ("inf,2\n", "line 2 of t.csv"),
        ("1,2,3\n", "line 2 of t.csv: it has 3 cells, and the header 2"),
        ("1,x\n", "line 2 of t.csv: could not convert"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(lines, why):
    with pytest.raises(ValueError, match=why):
        read(f"step,value\n{lines}")


def test_a_wrong_head_is_refused():
    with pytest.raises(ValueError, match=r"t\.csv must have the columns step, value"):
        read("step,other\n1,2\n")
    with pytest.raises(ValueError, match=r"t\.csv cannot be read"):
        read("")
