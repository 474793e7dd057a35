"""A reader's CSV file: every fault is one sentence with row and column, every number arrives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iwae_core.datasets import csv_file
from iwae_core.datasets.csv_file import read_csv
from iwae_core.datasets.tables import make_table

N = 60


def csv_of(rows, header="height,weight,kind", delimiter=","):
    lines = [header, *(delimiter.join(map(str, row)) for row in rows)]
    return "\n".join(line for line in lines if line is not None).encode()


@pytest.fixture
def rows():
    random = np.random.default_rng(4)
    kinds = ["oak", "ash", "yew"]
    return [
        [f"{10 + 2 * a:.4f}", f"{-300 + 50 * a + 9 * b:.4f}", kinds[i % 3]]
        for i, (a, b) in enumerate(random.normal(size=(N, 2)))
    ]


def test_real_columns_are_standardized_by_the_training_rows_and_words_name_classes(rows):
    file = read_csv(csv_of(rows))
    assert file.usable() == ("height", "weight")
    assert file.labels() == ("kind",)
    table = make_table(file, ["height", "weight"], "kind")
    assert (table.train.shape, table.test.shape) == ((48, 2), (12, 2))
    assert not table.binary
    assert table.class_names == ("ash", "oak", "yew")
    np.testing.assert_allclose(table.train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(table.train.std(axis=0), 1, atol=1e-6)
    # Every row is there once, in its order, with its class: undo the scaling by two known rows.
    raw = np.array([[float(a), float(b)] for a, b, _ in rows])
    kinds = np.array([table.class_names.index(kind) for *_, kind in rows])
    is_train = np.zeros(N, dtype=bool)
    all_rows = np.concatenate([table.train, table.test])
    for part in (True, False):
        x = table.train if part else table.test
        y = table.train_labels if part else table.test_labels
        for row, label in zip(x, y, strict=True):
            scaled = (raw - raw_mean(raw, table)) / raw_std(raw, table)
            at = np.abs(scaled - row).sum(axis=1).argmin()
            np.testing.assert_allclose(scaled[at], row, atol=1e-5)
            assert kinds[at] == label
            is_train[at] = part
    assert is_train.sum() == 48
    assert len(all_rows) == N
    assert "2 columns" in table.describe()
    assert "3 classes" in table.describe()


def train_rows(table):
    """Which rows of the file train: the split depends on the number of rows alone."""
    marked = [[i, i * i] for i in range(N)]
    other = make_table(read_csv(csv_of(marked, None)), ["column 1", "column 2"])
    order = np.argsort(np.argsort(np.concatenate([other.train[:, 0], other.test[:, 0]])))
    return order[: len(table.train)]


def raw_mean(raw, table):
    return raw[train_rows(table)].mean(axis=0)


def raw_std(raw, table):
    return raw[train_rows(table)].std(axis=0)


def test_columns_of_zeros_and_ones_stay_bits():
    bits = np.random.default_rng(1).integers(0, 2, size=(N, 9))
    file = read_csv(csv_of(bits, None))
    assert file.usable() == tuple(f"column {i}" for i in range(1, 10))
    table = make_table(file, file.usable())
    assert table.binary
    assert table.train_labels is None
    found = np.concatenate([table.train, table.test])
    assert sorted(map(tuple, found)) == sorted(map(tuple, bits.astype(np.float32)))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_seen(delimiter):
    file = read_csv(csv_of([[i, 2 * i] for i in range(N)], f"a{delimiter}b", delimiter))
    assert [column.name for column in file.columns] == ["a", "b"]
    assert file.n_rows == N


def test_a_constant_column_and_words_are_left_out_and_numbers_can_be_classes():
    file = read_csv(csv_of([[i, i % 7, 5, f"name {i}"] for i in range(N)], "a,b,c,d"))
    assert file.usable() == ("a", "b")
    assert file.labels() == ("b",)
    assert make_table(file, ["a", "b"]).columns == ("a", "b")


def broken(at, column, cell, header="a,b"):
    rows = [[str(i), str(i * i)] for i in range(N)]
    rows[at][column] = cell
    return csv_of(rows, header)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"PK\x03\x04rest", "spreadsheet or a zip archive"),
        (b"a,b\n1,\xff\n", "byte 7 is no text in UTF-8"),
        (csv_of([[1, 2]] * 49, "a,b"), "50 to 20,000 rows, got 49"),
        (csv_of([[1, 2]] * 20_001, "a,b"), "50 to 20,000 rows, got"),
        (csv_of([[1]] * N, "a"), "got 1: is it separated by"),
        (csv_of([[1] * 1025] * N, None), "2 to 1,024 columns, got 1,025"),
        (csv_of([[1, 2]] * N, "a,a"), "two columns have the name 'a'"),
        (
            csv_of([[1, 2]] * 40 + [[1, 2, 3]] + [[1, 2]] * 20, "a,b"),
            "row 42 has 3 cells, but row",
        ),
        (b"x" * (csv_file.MOST_BYTES + 1), r"10\.0 MB, more than 10 MB"),
        (b'a,b\n1,"2\n' * 60, "cannot be read as CSV"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content, says):
    with pytest.raises(ValueError, match=says):
        read_csv(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (broken(10, 1, "tall"), "column 'b', row 12 holds 'tall', which is not a finite number"),
        (broken(10, 1, "tall", None), "column 'column 2', row 11 holds 'tall'"),
        (broken(3, 0, ""), "column 'a', row 5 is empty"),
        (broken(3, 0, "nan"), "column 'a', row 5 holds 'nan', which is not a finite number"),
        (broken(3, 0, "1e999"), "column 'a', row 5 holds '1e999'"),
        (broken(3, 0, '"1,5"'), "row 5 holds '1,5'.*a point, not a comma"),
        (csv_of([[i, 7] for i in range(N)], "a,b"), "column 'b' holds 7 in every training row"),
        (csv_of([[f"{i}e307", i] for i in range(N)], "a,b"), "'a' cannot be scaled|finite"),
    ],
)
def test_a_column_that_cannot_serve_names_row_and_column(content, says):
    file = read_csv(content)
    with pytest.raises(ValueError, match=says):
        make_table(file, [column.name for column in file.columns])


def test_a_bad_choice_of_columns_is_refused_in_words(rows):
    file = read_csv(csv_of(rows))
    for columns, label, says in [
        (["height"], None, "at least 2 columns"),
        (["height", "height"], None, "chosen twice"),
        (["height", "depth"], None, "no column 'depth'"),
        (["height", "weight"], "hue", "no column 'hue'"),
        (["height", "weight"], "weight", "both be learned and name"),
        (["height", "kind"], None, "column 'kind', row 2 holds 'oak'"),
    ]:
        with pytest.raises(ValueError, match=says):
            make_table(file, columns, label)


def numbers_or_words():
    cell = st.one_of(
        st.floats(width=64).map(repr),
        st.integers(-3, 3).map(str),
        st.sampled_from(["", " ", '"', "a", "1,5", "0x1", "1_0", "\x00", "é", "inf", "-"]),
    )
    row = st.lists(cell, min_size=0, max_size=4).map(",".join)
    return st.lists(row, min_size=0, max_size=6)


@settings(deadline=None, max_examples=150)
@given(
    head=numbers_or_words(), body=st.sampled_from(["1,2", "0,1,0", "5,a", "2.5;1"]), data=st.data()
)
def test_whatever_the_file_it_is_a_table_or_a_value_error(head, body, data):
    at = data.draw(st.integers(0, 55))
    lines = [body] * 55
    lines[at:at] = head
    content = "\n".join(lines).encode()
    if data.draw(st.booleans()):
        cut = data.draw(st.integers(0, len(content)))
        content = content[:cut] + data.draw(st.binary(max_size=6)) + content[cut:]
    said, table = "", None
    try:
        file = read_csv(content)
        columns = [column.name for column in file.columns][:3]
        table = make_table(file, columns, data.draw(st.sampled_from([None, *file.labels()])))
    except ValueError as fault:
        said = str(fault)
    if table is None:
        assert 10 < len(said) < 300
    else:
        assert np.isfinite(table.train).all()
        assert table.train.shape[1] == len(columns)


@settings(deadline=None, max_examples=100)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_refused_as_a_value_error(content):
    with pytest.raises(ValueError, match=r"\w"):
        read_csv(content)
