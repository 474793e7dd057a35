"""Published files are found, downloaded and verified; whatever goes wrong is said plainly."""

import gzip
import io
import logging
import os

import numpy as np
import pooch
import pytest

from iwae_core.datasets.files import DATA_FOLDER_VARIABLE, cache_folder, data_folder
from iwae_core.datasets.published import read_labeled_images
from iwae_core.datasets.readers import parse_idx


def assert_is_the_published_set(split):
    expected = np.arange(30, dtype=np.float32).reshape(5, 6) * 8 / 255
    np.testing.assert_allclose(split.train.numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(split.test.numpy(), 1 - expected[:2], rtol=1e-6)
    assert split.train_labels.tolist() == [0, 1, 2, 1, 0]
    assert split.test_labels.tolist() == [2, 1]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("subfolder", ["", "tiny", "other"])
def test_files_are_read_from_the_folder_or_its_subfolder(tmp_path, publish, subfolder, packed):
    files = publish(tmp_path / "data" / subfolder, packed=packed)
    assert_is_the_published_set(read_labeled_images(files, tmp_path / "data"))


def test_a_repacked_file_is_the_same_file(tmp_path, publish):
    files = publish(tmp_path)
    path = tmp_path / files.files["train_images"].name
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=99))
    assert_is_the_published_set(read_labeled_images(files, tmp_path))


def test_files_in_the_folder_leave_the_network_alone(tmp_path, publish, mirror):
    publish(mirror.folder)
    files = publish(tmp_path / "data", mirrors=(f"{mirror.url}/",))
    read_labeled_images(files, tmp_path / "data")
    assert mirror.requests == []


def test_a_changed_file_is_refused_with_its_name_and_both_hashes(tmp_path, publish):
    files = publish(tmp_path, packed=False)
    path = tmp_path / "train_images-idx"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    expected = files.files["train_images"].sha256
    with pytest.raises(ValueError, match=f"(?s){path}.*{expected}, got [0-9a-f]{{64}}: another"):
        read_labeled_images(files, tmp_path)


def test_a_truncated_file_is_called_truncated_rather_than_changed(tmp_path, publish):
    files = publish(tmp_path, packed=False)
    path = tmp_path / "test_labels-idx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"test_labels-idx must hold 2 = 2 bytes.*truncated"):
        read_labeled_images(files, tmp_path)


def test_images_in_place_of_labels_are_refused_by_their_magic_number(tmp_path, publish):
    files = publish(tmp_path)
    names = {role: tmp_path / file.name for role, file in files.files.items()}
    names["train_labels"].write_bytes(names["train_images"].read_bytes())
    with pytest.raises(ValueError, match=r"train_labels-idx.gz.*labels, 0x00000801.*00000803"):
        read_labeled_images(files, tmp_path)


def test_a_download_is_verified_kept_and_not_repeated(tmp_path, publish, mirror, cache):
    files = publish(mirror.folder, mirrors=(f"{mirror.url}/",))
    assert_is_the_published_set(read_labeled_images(files, None))
    assert len(mirror.requests) == 4
    assert sorted(os.listdir(cache / "tiny")) == sorted(os.listdir(mirror.folder))
    assert_is_the_published_set(read_labeled_images(files, tmp_path))
    assert len(mirror.requests) == 4


def test_a_download_is_silent_and_leaves_the_logger_as_it_was(publish, mirror, capfd):
    # pooch keeps its logger apart from logging's tree, so caplog would hear nothing of it.
    logger, said = pooch.get_logger(), io.StringIO()
    handler, level = logging.StreamHandler(said), logger.level
    logger.addHandler(handler)
    try:
        read_labeled_images(publish(mirror.folder, mirrors=(f"{mirror.url}/",)), None)
        assert logger.level == level != logging.ERROR
    finally:
        logger.removeHandler(handler)
    assert said.getvalue() == ""
    assert capfd.readouterr() == ("", "")


def test_the_next_mirror_is_asked_when_one_lacks_or_garbles_a_file(publish, mirror):
    files = publish(
        mirror.folder / "good",
        mirrors=(f"{mirror.url}/missing/", f"{mirror.url}/garbled/", f"{mirror.url}/good/"),
    )
    (mirror.folder / "garbled").mkdir()
    for file in files.files.values():
        (mirror.folder / "garbled" / file.name).write_bytes(b"<html>not the file</html>")
    assert_is_the_published_set(read_labeled_images(files, None))
    assert [path.split("/")[1] for path in mirror.requests] == ["missing", "garbled", "good"] * 4


def test_without_a_mirror_that_answers_the_error_says_what_to_do(tmp_path, publish, mirror, cache):
    dead = "http://127.0.0.1:9/"  # the discard port: nothing listens
    files = publish(tmp_path / "elsewhere", mirrors=(dead, f"{mirror.url}/"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(OSError, match="of tiny is not in") as caught:
        read_labeled_images(files, empty)
    text = str(caught.value)
    for part in (str(empty), "tiny/", DATA_FOLDER_VARIABLE, dead, mirror.url, "404", "offline?"):
        assert part in text
    for file in files.files.values():
        assert file.name in text
    assert not list(cache.rglob("*idx*"))


def test_a_set_without_mirrors_never_asks_the_network(tmp_path, publish, monkeypatch):
    monkeypatch.setattr(pooch, "retrieve", lambda *_, **__: pytest.fail("asked the network"))
    files = publish(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match="no data folder is named") as caught:
        files.read("train_images", parse_idx, None)
    assert "mirror" not in str(caught.value)


def test_a_damaged_cache_is_refused_by_the_path_to_delete(publish, mirror, cache):
    files = publish(mirror.folder, mirrors=(f"{mirror.url}/",))
    read_labeled_images(files, None)
    damaged = cache / "tiny" / files.files["train_images"].name
    damaged.write_bytes(damaged.read_bytes()[:-12])
    with pytest.raises(ValueError, match=f"{damaged} ends in the middle"):
        read_labeled_images(files, None)


def test_the_argument_goes_before_the_environment_variable(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert data_folder(None) is None
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, "")
    assert data_folder(None) is None
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(tmp_path / "a"))
    assert data_folder(None) == tmp_path / "a"
    assert data_folder(str(tmp_path / "b")) == tmp_path / "b"


def test_a_folder_that_does_not_exist_is_refused_by_who_named_it(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    with pytest.raises(ValueError, match=r"argument `folder` must name an existing folder.*gone"):
        data_folder(gone)
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(gone))
    with pytest.raises(ValueError, match=f"{DATA_FOLDER_VARIABLE} must name.*gone"):
        data_folder(None)


def test_downloads_are_kept_in_a_folder_of_the_users_cache():
    assert cache_folder().is_absolute()
    assert "iwae-lab" in cache_folder().parts
