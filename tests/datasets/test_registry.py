"""Every name in the registry loads as it says, the digits exactly as published."""

import dataclasses
import hashlib
import os
import pickle
import socket
import warnings
from functools import partial

import numpy as np
import pytest
import torch

from iwae_core import datasets
from iwae_core.datasets import DATA_FOLDER_VARIABLE, DATASETS, lookup, published, registry
from iwae_core.datasets.readers import read_amat

ALWAYS_THERE = ["digits", "moons", "pinwheel", "rings", "gaussians"]
FROM_FILES = ["mnist", "fashion_mnist", "mnist_fixed"]
REAL_DATA = os.environ.get(DATA_FOLDER_VARIABLE)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        pytest.fail("asked the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_the_registry_holds_the_promised_names():
    assert sorted(DATASETS) == sorted(ALWAYS_THERE + FROM_FILES)


@pytest.mark.parametrize("name", ALWAYS_THERE)
def test_an_embedded_set_loads_in_silence_without_folder_or_network(
    name, no_network, capfd, monkeypatch
):
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, "/no/such/folder")
    lookup._load.cache_clear()
    data = datasets.load(name)
    assert capfd.readouterr() == ("", "")
    assert data is datasets.load(name)
    assert data.name == name
    assert len(data.class_names) == data.train_labels.max() + 1 == data.test_labels.max() + 1
    assert datasets.missing_files(name) == ()
    assert data.binary == (data.likelihood == "bernoulli") == (name == "digits")
    copy = pickle.loads(pickle.dumps(data))
    assert torch.equal(copy.train, data.train)


@pytest.mark.parametrize("name", ["moons", "pinwheel", "rings", "gaussians"])
def test_plane_sets_are_standardized_by_their_training_points(name):
    data = datasets.load(name)
    assert data.train.shape == (2000, 2)
    assert data.test.shape == (1000, 2)
    torch.testing.assert_close(data.train.mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)
    mean_variance = data.train.var(dim=0, correction=0).mean().item()
    assert mean_variance == pytest.approx(1, abs=1e-5)
    assert not (data.train[:1000] == data.test).any()


def test_circles_stay_circles():
    # Raw radii 1, 2, 3 with noise 0.1: the variance of a coordinate is (14/3 + 0.01) / 2 =
    # 2.338, so ring c has radius (c + 1) / sqrt(2.338) after scaling. The center of 2,000 points
    # is off by 0.02 and the scale by 1.3 % (one sigma), which the tolerances allow fivefold.
    data = datasets.load("rings")
    for ring in range(3):
        points = data.train[data.train_labels == ring]
        r = (points - (points.amax(dim=0) + points.amin(dim=0)) / 2).norm(dim=1)
        assert r.mean().item() == pytest.approx((ring + 1) / 2.338**0.5, rel=0.07)
        assert r.std().item() < 0.1


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    ours, theirs = datasets.load("digits"), load_digits()
    rows = torch.cat([ours.train, ours.test]).numpy() * 16
    labels = torch.cat([ours.train_labels, ours.test_labels]).numpy()
    mine = sorted((label, *row) for label, row in zip(labels, rows.tolist(), strict=True))
    published_rows = sorted(
        (label, *row) for label, row in zip(theirs.target, theirs.data.tolist(), strict=True)
    )
    assert mine == published_rows
    assert ours.image_shape == (8, 8)


def test_the_digits_are_split_by_class_without_overlap():
    data = datasets.load("digits")
    assert data.train.shape == (1500, 64)
    assert data.test.shape == (297, 64)
    n_class = data.train_labels.bincount() + data.test_labels.bincount()
    share = n_class * 297 / 1797
    assert (data.test_labels.bincount() - share).abs().max() < 1
    # All 1,797 images differ, so no row may be in both parts.
    rows = {row.numpy().tobytes() for row in torch.cat([data.train, data.test])}
    assert len(rows) == 1797


@pytest.mark.parametrize(
    ("name", "labels", "train_size", "test_size"),
    [
        ("digits", "c425ff1eb6e1a8a1", 29296.625, 5810.75),
        ("moons", "fc95578c6d3e4fbc", 3231.98291, 1662.53143),
        ("pinwheel", "a111930ad9534358", 3451.16263, 1732.18410),
        ("rings", "02404e96c98c5baf", 3336.36363, 1691.06407),
        ("gaussians", "6e8de99e33d97f79", 3436.61648, 1718.47031),
    ],
)
def test_the_drawn_sets_never_change(name, labels, train_size, test_size):
    # Results name a data set, so the same name must be the same rows next year. The labels are
    # held to the bit, the points by their sum of |x|: the last bit of a cosine may differ
    # between processors.
    data = datasets.load(name)
    digest = hashlib.sha256(data.train_labels.numpy().tobytes())
    digest.update(data.test_labels.numpy().tobytes())
    assert digest.hexdigest()[:16] == labels
    assert data.train.double().abs().sum().item() == pytest.approx(train_size, rel=1e-6)
    assert data.test.double().abs().sum().item() == pytest.approx(test_size, rel=1e-6)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("Digits", "digits"), ("fashion-mnist", "fashion_mnist"), ("moon", "moons")],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_the_list(wrong, near):
    with pytest.raises(ValueError, match=f"{wrong}'.*did you mean '{near}'.*digits, moons"):
        datasets.load(wrong)


@pytest.mark.parametrize("wrong", ["zzzzzz", "", None])
def test_a_name_like_no_other_gets_no_guess(wrong):
    with pytest.raises(ValueError, match=f"{wrong!r}. Known: digits, moons"):
        datasets.load(wrong)


def test_one_new_entry_is_a_data_set(tmp_path, publish, monkeypatch, no_network):
    files = publish(tmp_path / "data" / "tiny")
    spec = dataclasses.replace(
        DATASETS["mnist"],
        read=partial(published.read_labeled_images, files),
        files=files,
        image_shape=(2, 3),
    )
    monkeypatch.setitem(DATASETS, "tiny", spec)
    monkeypatch.setenv(DATA_FOLDER_VARIABLE, str(tmp_path / "data"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = datasets.load("tiny")
    assert data is datasets.load("tiny", tmp_path / "data")
    assert data.name == "tiny"
    assert data.train.shape == (5, 6)
    assert data.binary
    assert not data.already_binarized
    assert datasets.missing_files("tiny") == ()
    (tmp_path / "data" / "tiny" / "test_labels-idx.gz").unlink()
    assert datasets.missing_files("tiny") == ("test_labels-idx.gz",)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_failed_download_is_not_remembered(name, monkeypatch, tmp_path):
    import pooch

    asked = []

    def fail(url, **_):
        asked.append(url)
        raise ConnectionError("no route")

    monkeypatch.setattr(pooch, "retrieve", fail)
    for n_calls in (1, 2):
        with pytest.raises(OSError, match=f"of {name} .*no route"):
            datasets.load(name, tmp_path)
        assert len(asked) == 3 * n_calls
    assert len(datasets.missing_files(name, tmp_path)) == 4


def test_fixed_mnist_without_a_folder_says_where_its_files_are(no_network):
    with pytest.raises(OSError, match=r"binarized_mnist_train\.amat.*larocheh.*never downloaded"):
        datasets.load("mnist_fixed")


def test_fixed_bits_are_read_and_their_test_rows_put_in_a_fixed_random_order(tmp_path):
    # 784 rows sorted as the real test file is; row i has its only bit at i.
    rows = np.eye(784, dtype=np.uint8)
    content = b"".join(b" ".join(b"%d" % bit for bit in row) + b"\n" for row in rows)
    for part in ("train", "test"):
        (tmp_path / f"binarized_mnist_{part}.amat").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    files = dataclasses.replace(
        published.MNIST_FIXED,
        files={
            role: dataclasses.replace(file, sha256=digest)
            for role, file in published.MNIST_FIXED.files.items()
        },
    )
    split = published.read_fixed_bits(files, tmp_path)
    assert torch.equal(split.train, torch.eye(784))
    order = split.test.argmax(dim=1)
    assert torch.equal(order.sort().values, torch.arange(784))
    # The first 100 of a fair order have a mean row of 391.5 +- 22.6.
    assert abs(order[:100].double().mean().item() - 391.5) < 5 * 22.6
    assert torch.equal(split.test, published.read_fixed_bits(files, tmp_path).test)
    assert split.train_labels is None


@pytest.mark.skipif(
    REAL_DATA is None, reason=f"{DATA_FOLDER_VARIABLE} names no folder with the real files"
)
@pytest.mark.parametrize("name", FROM_FILES)
def test_the_real_files_have_the_published_counts(name):
    if missing := datasets.missing_files(name, REAL_DATA):
        pytest.skip(f"the folder in {DATA_FOLDER_VARIABLE} lacks {', '.join(missing)}")
    data = datasets.load(name, REAL_DATA)
    assert data.train.shape == (50_000 if name == "mnist_fixed" else 60_000, 784)
    assert data.test.shape == (10_000, 784)
    counts = {
        "mnist": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
        "fashion_mnist": [1000] * 10,
    }
    if name == "mnist_fixed":
        assert data.already_binarized
        path = published.MNIST_FIXED.find("test_images", registry.data_folder(REAL_DATA))
        assert read_amat(path).sum() == data.test.sum().item()
    else:
        assert data.test_labels.bincount().tolist() == counts[name]
