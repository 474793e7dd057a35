"""The measures of a representation, on latents whose answers are known."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iwae_core.evaluation.representation import (
    clustering,
    few_label_accuracy,
    knn_accuracy,
    labeled_latents,
    linear_probe,
    pick_per_class,
    representation_report,
)
from iwae_core.rng import make_generator


def blobs(n, centers, scale, seed):
    """Latents of N(center, scale^2) about equally likely centers, and which center it was."""
    rng = np.random.default_rng(seed)
    centers = np.asarray(centers, dtype=np.float64)
    labels = rng.integers(len(centers), size=n)
    return centers[labels] + scale * rng.standard_normal((n, centers.shape[1])), labels


def assert_share(share, expected, n):
    """Hold the share of hits in n independent trials against its probability, |z| <= 5."""
    assert abs(share - expected) <= 5 * math.sqrt(expected * (1 - expected) / n), share


FAR = [[10.0, -3.0], [14.0, -3.0], [10.0, 1.0]]


def test_separated_classes_are_known_perfectly():
    report = representation_report(*blobs(300, FAR, 0.1, 0), *blobs(200, FAR, 0.1, 1), seed=0)
    assert report.linear_probe == report.knn == 1.0
    assert report.nmi == pytest.approx(1.0)
    assert report.ari == pytest.approx(1.0)
    assert report.few_label_mean.tolist() == [1.0, 1.0, 1.0]
    assert report.few_label_std.tolist() == [0.0, 0.0, 0.0]
    assert report.few_labels.tolist() == [1, 5, 10]
    assert report.probe_converged
    assert (report.n_train, report.n_test, report.n_classes) == (300, 200, 3)
    assert (report.n_neighbors, report.n_repeats) == (5, 10)


def test_latents_that_know_nothing_score_chance():
    # The predictions are independent of the test labels, so hits are Bernoulli(1/4) trials
    # given the latents: |z| <= 5, and n = 4,000 finds any knowledge above 0.07 in accuracy.
    rng = np.random.default_rng(2)
    latents = rng.standard_normal((6000, 3)) + 5
    labels = rng.integers(4, size=6000)
    report = representation_report(
        latents[:2000], labels[:2000], latents[2000:], labels[2000:], seed=0, n_repeats=2
    )
    assert_share(report.linear_probe, 0.25, 4000)
    assert_share(report.knn, 0.25, 4000)
    assert_share(report.chance, 0.25, 4000)
    for mean in report.few_label_mean:
        assert_share(mean, 0.25, 4000)
    # 2 N I is chi-squared with 9 degrees of freedom: mean NMI 9 / (8000 log 4) = 8e-4.
    assert report.nmi < 0.005
    assert abs(report.ari) < 0.005


def test_the_probe_reaches_the_bayes_accuracy_of_two_gaussians():
    # Unit Gaussians 2 apart: the best rule has accuracy Phi(1) = 0.8413. One standard error at
    # n = 20,000 is 0.0026; a fit on 5,000 loses less than 0.001.
    centers = [[3.0, 0.0], [5.0, 0.0]]
    data = labeled_latents(*blobs(5000, centers, 1.0, 3), *blobs(20_000, centers, 1.0, 4))
    accuracy, converged = linear_probe(data)
    assert_share(accuracy, NormalDist().cdf(1.0), 20_000)
    assert converged


def test_rings_are_known_to_neighbors_and_hidden_from_a_line():
    # The best line touches the inner ring of radius 1 and calls its far side the outer one of
    # radius 3: right with probability (1 + arccos(1/3) / pi) / 2 = 0.696.
    rng = np.random.default_rng(5)
    angle, labels = 2 * np.pi * rng.random(2000), rng.integers(2, size=2000)
    r = 1.0 + 2.0 * labels
    latents = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)
    data = labeled_latents(latents[:1000], labels[:1000], latents[1000:], labels[1000:])
    assert knn_accuracy(data, 5) == 1.0
    assert linear_probe(data)[0] < 0.696 + 5 * math.sqrt(0.696 * 0.304 / 1000)


def test_neighbors_vote_as_counted_by_hand():
    data = labeled_latents(
        [[0.0], [1.0], [10.0]], [0, 1, 1], [[0.4], [0.6], [9.0], [9.0]], [0, 1, 1, 0]
    )
    assert knn_accuracy(data, 1) == 0.75  # 0, 1, 1, 1
    assert knn_accuracy(data, 3) == 0.5  # all vote 1


def test_every_measure_is_judged_on_the_test_set():
    # Two clusters, but the test labels halve each of them at random, so clusters and labels
    # are independent; in training they agree perfectly.
    train, train_labels = blobs(400, [[0.0], [9.0]], 0.1, 6)
    test, _ = blobs(4000, [[0.0], [9.0]], 0.1, 7)
    coin = np.random.default_rng(8).integers(2, size=4000)
    data = labeled_latents(train, train_labels, test, coin)
    assert_share(linear_probe(data)[0], 0.5, 4000)
    assert_share(knn_accuracy(data, 3), 0.5, 4000)
    nmi, ari = clustering(data, seed=0)
    assert nmi < 0.005
    assert abs(ari) < 0.005
    swapped = labeled_latents(train, train_labels, train, 1 - train_labels)
    assert clustering(swapped, seed=0) == pytest.approx((1.0, 1.0))


def test_clusters_against_classes_as_counted_by_hand():
    # Classes against clusters: [[2, 1], [1, 2]]. I = (2 log 4/3 + log 2/3) / 3, H = log 2 for
    # both. Pairs: 2 agree, 6 * 6 / 15 = 2.4 by chance, 6 at most.
    train = [[0.0], [0.1], [9.0], [9.1]]
    test = [[0.0], [0.0], [0.1], [9.0], [9.0], [9.1]]
    data = labeled_latents(train, [0, 0, 1, 1], test, [0, 0, 1, 1, 1, 0])
    nmi, ari = clustering(data, seed=0)
    information = (2 * math.log(4 / 3) + math.log(2 / 3)) / 3
    assert nmi == pytest.approx(information / math.log(2))
    assert ari == pytest.approx((2 - 2.4) / (6 - 2.4))


def test_the_seed_decides_the_clusters_of_shapeless_latents():
    rng = np.random.default_rng(19)
    latents, labels = rng.random((200, 6)), rng.integers(10, size=200)
    data = labeled_latents(latents, labels, latents, labels)
    scores = [clustering(data, seed=seed) for seed in (1, 1, 2)]
    assert scores[0] == scores[1] != scores[2]


def test_the_report_summarizes_the_repeats():
    centers = [[0.0], [2.0]]
    sets = (*blobs(100, centers, 1.0, 20), *blobs(300, centers, 1.0, 21))
    report = representation_report(*sets, seed=4, few_labels=(1, 3), n_repeats=4)
    for i, n_labels in enumerate((1, 3)):
        each = few_label_accuracy(labeled_latents(*sets), n_labels, n_repeats=4, seed=4)
        assert report.few_label_mean[i] == pytest.approx(sum(each) / 4)
        variance = sum((accuracy - sum(each) / 4) ** 2 for accuracy in each) / 3
        assert report.few_label_std[i] == pytest.approx(math.sqrt(variance))
    assert report.linear_probe == linear_probe(labeled_latents(*sets))[0]


def test_more_labels_know_more_and_scatter_less():
    centers = np.zeros((2, 8))
    centers[1, 0] = 3.0
    data = labeled_latents(*blobs(2000, centers, 1.0, 9), *blobs(4000, centers, 1.0, 10))
    one, many = (few_label_accuracy(data, n, n_repeats=30, seed=1) for n in (1, 50))
    bayes = NormalDist().cdf(1.5)
    assert one.mean() + 0.05 < many.mean() < bayes + 0.02
    assert many.std() < one.std()
    assert many.mean() > bayes - 0.04


def test_the_seed_decides_the_labeled_examples():
    data = labeled_latents(
        *blobs(300, [[0.0], [2.0]], 1.0, 11), *blobs(500, [[0.0], [2.0]], 1.0, 12)
    )
    first, again, other = (few_label_accuracy(data, 2, n_repeats=5, seed=s) for s in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert len(set(first.tolist())) > 1


@given(
    counts=st.lists(st.integers(3, 9), min_size=2, max_size=5),
    n_labels=st.integers(1, 3),
    seed=st.integers(0, 2**40),
)
def test_picks_are_distinct_equal_per_class_and_nested(counts, n_labels, seed):
    labels = np.repeat(np.arange(len(counts)) * 7, counts)
    picked = pick_per_class(labels, n_labels, make_generator(seed))
    assert len(set(picked.tolist())) == len(picked)
    assert np.unique(labels[picked], return_counts=True)[1].tolist() == [n_labels] * len(counts)
    smaller = pick_per_class(labels, 1, make_generator(seed))
    assert set(smaller.tolist()) <= set(picked.tolist())


def test_fully_collapsed_latents_score_chance_in_silence():
    labels = np.array([0, 0, 0, 1, 2] * 20)
    still = np.full((100, 4), 0.5)
    report = representation_report(still, labels, still, labels, seed=0)
    assert report.chance == 0.6
    assert report.linear_probe == 0.6
    assert report.nmi == pytest.approx(0.0, abs=1e-12)
    assert report.ari == pytest.approx(0.0, abs=1e-12)


def test_collapsed_units_beside_active_ones_change_nothing():
    # Fifty units of noise a thousandth the size of the active ones, as collapse leaves them.
    train, train_labels = blobs(300, FAR, 0.5, 13)
    test, test_labels = blobs(300, FAR, 0.5, 14)
    rng = np.random.default_rng(15)
    noisy = [np.hstack([z, 1e-3 * rng.standard_normal((300, 50))]) for z in (train, test)]
    alone = representation_report(train, train_labels, test, test_labels, seed=0)
    beside = representation_report(noisy[0], train_labels, noisy[1], test_labels, seed=0)
    assert beside.knn == alone.knn
    assert beside.ari == alone.ari
    assert beside.linear_probe == pytest.approx(alone.linear_probe, abs=0.01)


def test_shift_and_scale_of_the_latents_change_nothing():
    train, train_labels = blobs(200, [[0.0, 0.0], [2.0, 1.0]], 1.0, 16)
    test, test_labels = blobs(200, [[0.0, 0.0], [2.0, 1.0]], 1.0, 17)
    plain = representation_report(train, train_labels, test, test_labels, seed=3)
    moved = representation_report(
        1024 * train + 5, train_labels, 1024 * test + 5, test_labels, seed=3
    )
    for name in ("linear_probe", "knn", "nmi", "ari"):
        assert getattr(moved, name) == pytest.approx(getattr(plain, name), abs=0.011)
    np.testing.assert_allclose(moved.few_label_mean, plain.few_label_mean, atol=0.011)


def test_one_repeat_has_no_spread_and_tensors_are_welcome():
    train, train_labels = blobs(60, FAR, 0.1, 18)
    report = representation_report(
        torch.from_numpy(train).float(),
        torch.from_numpy(train_labels),
        train,
        train_labels,
        seed=0,
        few_labels=[2],
        n_repeats=1,
    )
    assert report.few_label_mean.tolist() == [1.0]
    assert np.isnan(report.few_label_std).all()


SOUND = {
    "train_latents": np.arange(8.0).reshape(4, 2),
    "train_labels": np.array([0, 0, 1, 1]),
    "test_latents": np.ones((3, 2)),
    "test_labels": np.array([0, 1, 0]),
    "seed": 0,
    "n_neighbors": 1,
    "few_labels": (1, 2),
    "n_repeats": 2,
}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"train_latents": np.zeros(4)}, r"train_latents must be numbers of shape \(N, d\)"),
        ({"test_latents": np.zeros((0, 2))}, r"test_latents must be .*\(0, 2\)"),
        ({"test_latents": np.full((3, 2), np.nan)}, "test_latents must be finite"),
        ({"train_latents": np.array([["a", "b"]] * 4)}, "train_latents must be numbers"),
        ({"test_latents": np.ones((3, 5))}, "equal dimension, got 2 and 5"),
        ({"train_labels": np.array([0, 1])}, r"integers of shape \(4,\), got int64 of \(2,\)"),
        ({"test_labels": np.array([0.0, 1.0, 0.0])}, "test_labels must be integers.*float64"),
        ({"train_labels": np.zeros(4, dtype=int)}, "at least two classes"),
        ({"test_labels": np.array([0, 1, 9])}, r"never saw: \[9\]"),
        ({"n_neighbors": 0}, "n_neighbors must lie between 1 and the 4 .* got 0"),
        ({"n_neighbors": 5}, "n_neighbors .* got 5"),
        ({"few_labels": (1, 3)}, r"between 1 and 2, the size of the smallest class \(0\), got 3"),
        ({"few_labels": (0,)}, "got 0"),
        ({"n_repeats": 0}, "n_repeats must be at least 1, got 0"),
        ({"train_latents": np.eye(4, 2) * 1e300}, "too large .* got 1e[+]300"),
    ],
)
def test_impossible_questions_are_refused(changes, rule):
    with pytest.raises(ValueError, match=rule):
        representation_report(**{**SOUND, **changes})


def test_the_sound_question_is_answered():
    assert representation_report(**SOUND).n_classes == 2
