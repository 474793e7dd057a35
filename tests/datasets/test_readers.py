"""The readers give back what was written and refuse everything else by name."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from iwae_core.datasets import read_amat, read_idx
from iwae_core.datasets.readers import parse_amat, parse_idx


def idx_bytes(array):
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def amat_bytes(bits):
    return b"".join(b" ".join(b"01"[bit : bit + 1] for bit in row) + b"\n" for row in bits)


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
BITS = np.array([[0, 1, 1], [1, 0, 0]], dtype=np.uint8)


@given(array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)))
def test_idx_gives_back_every_array(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("idx") / "a-idx-ubyte"
    path.write_bytes(idx_bytes(array))
    np.testing.assert_array_equal(read_idx(path), array)
    packed = path.with_name("a-idx-ubyte.gz")
    packed.write_bytes(gzip.compress(idx_bytes(array)))
    np.testing.assert_array_equal(read_idx(packed, n_axes=array.ndim), array)


@given(
    bits=hnp.arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(3)), elements=st.integers(0, 1))
)
def test_amat_gives_back_every_array_of_bits(tmp_path_factory, bits):
    path = tmp_path_factory.mktemp("amat") / "b.amat"
    path.write_bytes(amat_bytes(bits))
    np.testing.assert_array_equal(read_amat(path, n_values=3), bits)
    packed = path.with_name("b.amat.gz")
    packed.write_bytes(gzip.compress(amat_bytes(bits)))
    np.testing.assert_array_equal(read_amat(packed, n_values=3), bits)


def test_amat_expects_the_784_pixels_of_mnist(tmp_path):
    bits = np.eye(784, dtype=np.uint8)[:2]
    (tmp_path / "c.amat").write_bytes(amat_bytes(bits))
    np.testing.assert_array_equal(read_amat(tmp_path / "c.amat"), bits)


PACKED = gzip.compress(idx_bytes(IMAGES), mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("i", b"", "is empty"),
        ("i.gz", b"", "is empty"),
        ("i.gz", gzip.compress(b"", mtime=0), "holds nothing once unpacked"),
        ("i.gz", b"<!DOCTYPE html>", "must be gzip.*web page"),
        ("i.gz", idx_bytes(IMAGES), "must be gzip.*already unpacked"),
        ("i", PACKED, r"name must end in \.gz"),
        ("i.gz", PACKED[:-9], "in the middle of its gzip stream.*interrupted"),
        ("i.gz", PACKED[:5], "in the middle of its gzip stream.*interrupted"),
        ("i.gz", PACKED[:-8] + bytes(8), "damaged gzip"),
        ("i.gz", PACKED + b"more", "damaged gzip"),
        ("i", b"\0\0\x08", "too short.*3 bytes"),
        ("i", idx_bytes(IMAGES)[:-1], "2 x 3 x 4 = 24 bytes.*got 23: truncated"),
        ("i", idx_bytes(IMAGES)[:9], "3 sizes in its first 16 bytes, got 9"),
        ("i", idx_bytes(IMAGES) + b"\0", "24 bytes.*got 25: two files"),
        ("i", idx_bytes(IMAGES[0, 0]), "0x00000803.*got 0x00000801: images and labels"),
        ("i", struct.pack(">I3I", 0x0D03, 1, 1, 1) + b"abcd", "got 0x00000d03"),
        ("i", struct.pack(">I3I", 0x01000803, 1, 1, 1) + b"a", "got 0x01000803"),
        ("i", struct.pack("<I3I", 0x803, 1, 1, 1) + b"a", "got 0x03080000"),
        ("i", struct.pack(">I3I", 0x803, 0, 3, 4), r"holds no numbers.*\(0, 3, 4\)"),
        ("i", struct.pack(">I3I", 0x803, *[2**32 - 1] * 3) + b"a", "got 1: truncated"),
    ],
)
def test_a_broken_image_file_is_refused_with_its_name_and_the_rule(tmp_path, name, content, rule):
    path = tmp_path / f"some-{name}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"(?s)some-{name}.*{rule}"):
        read_idx(path, n_axes=3)


def test_images_in_place_of_labels_are_refused(tmp_path):
    (tmp_path / "labels").write_bytes(idx_bytes(IMAGES))
    with pytest.raises(ValueError, match=r"labels, 0x00000801.*got 0x00000803"):
        read_idx(tmp_path / "labels", n_axes=1)


def test_a_magic_number_without_axes_is_refused(tmp_path):
    (tmp_path / "none").write_bytes(b"\0\0\x08\0a")
    with pytest.raises(ValueError, match="got 0x00000800"):
        read_idx(tmp_path / "none")


GOOD = amat_bytes(BITS)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (GOOD[:-1], "line 2: .*got 3 values: truncated"),
        (GOOD[:-3], "line 2: .*got 2 values.*truncated"),
        (GOOD[:7], "line 2: .*truncated"),
        (GOOD + b"1 0\n", "line 3: .*got 2 values"),
        (GOOD + b"\n", "line 3: .*got 1 values"),
        (GOOD.replace(b"1 0 0", b"1 2 0"), "line 2: .*b'2'"),
        (GOOD.replace(b"1 0 0", b"1 / 0"), "line 2: .*b'/'"),
        (GOOD.replace(b" ", b","), "line 1: .*another format"),
        (GOOD.replace(b"\n", b"\r\n"), r"line 1: .*'1\\r'.*ends of lines"),
        (GOOD.replace(b"0 1 1\n", b"0 1 1 "), "line 1: .*got 6 values"),
        (b"0.0 1.0 1.0\n", "line 1: .*b'0.0'"),
    ],
)
def test_broken_text_is_refused_with_its_name_and_line(tmp_path, content, rule):
    path = tmp_path / "some.amat"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"some.amat, {rule}"):
        read_amat(path, n_values=3)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


def test_images_of_no_pixels_are_refused(tmp_path):
    (tmp_path / "d.amat").write_bytes(GOOD)
    with pytest.raises(ValueError, match="n_values must be at least 1, got 0"):
        read_amat(tmp_path / "d.amat", n_values=0)


def broken_forms(sound):
    """Truncations, single changed bytes and joins of sound content, and plain noise."""
    cut = st.integers(0, len(sound) - 1).map(lambda n: sound[:n])
    changed = st.tuples(st.integers(0, len(sound) - 1), st.integers(0, 255)).map(
        lambda change: sound[: change[0]] + bytes([change[1]]) + sound[change[0] + 1 :]
    )
    return st.one_of(
        cut, changed, st.binary(max_size=60), st.binary(min_size=1).map(sound.__add__)
    )


@pytest.mark.parametrize(
    ("read", "sound"),
    [
        (read_idx, PACKED),
        (lambda path: read_amat(path, n_values=3), gzip.compress(GOOD, mtime=0)),
    ],
)
@given(data=st.data())
def test_fuzzed_gzip_is_read_soundly_or_refused(tmp_path_factory, read, sound, data):
    path = tmp_path_factory.mktemp("fuzz") / "f.gz"
    path.write_bytes(data.draw(broken_forms(sound)))
    try:
        read(path)
    except ValueError as error:
        assert "f.gz" in str(error)  # noqa: PT017 - reading may also succeed


@given(content=broken_forms(idx_bytes(IMAGES)), n_axes=st.sampled_from([None, 1, 3]))
def test_fuzzed_idx_is_read_to_the_last_byte_or_refused(tmp_path_factory, content, n_axes):
    path = tmp_path_factory.getbasetemp() / "f"
    try:
        array = parse_idx(content, path, n_axes)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert idx_bytes(array) == content


@given(content=broken_forms(GOOD) | st.text("01 \n", max_size=40).map(str.encode))
def test_fuzzed_text_is_read_to_the_last_byte_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "f"
    try:
        bits = parse_amat(content, path, 3)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert amat_bytes(bits) == content
