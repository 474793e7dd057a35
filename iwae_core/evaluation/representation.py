"""What the latents know of the labels that the model never saw.

Four questions to the same latents (usually the posterior means): can a straight line tell the
classes apart (linear probe), do neighbors share a class (k-NN), do the classes show without any
label (k-means against the classes), and how few labels are enough (few-label accuracy)? Every
classifier is fitted on the training latents and judged on the test latents.

The latents are shifted by their training mean and divided by one scale, the root of their mean
variance. Not each axis by its own: a collapsed unit is noise of tiny variance, and blowing it up
to the size of an active one would hide what the others know.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from iwae_core.counts import check_count, is_count
from iwae_core.rng import derive_seed, stream

Latents = NDArray[np.float64]  # (N, d)
Labels = NDArray[np.int64]  # (N,)

PROBE_ITERATIONS = 1000  # of L-BFGS, far beyond what standardized latents need
LARGEST_LATENT = 1e100
N_NEIGHBORS = 5
FEW_LABELS = (1, 5, 10)  # labels per class
N_REPEATS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RepresentationReport:
    """How much of the classes the latents hold, on one stated pair of sets.

    Attributes:
        linear_probe: Test accuracy of a logistic regression.
        probe_converged: Whether its fit came to rest; if not, more may be in the latents.
        knn: Test accuracy of the vote of the ``n_neighbors`` nearest training latents.
        n_neighbors: Neighbors that voted.
        nmi: Normalized mutual information (arithmetic mean) of k-means clusters and classes, in
            [0, 1]; 0 means independent.
        ari: Adjusted Rand index of the same two; 0 expected by chance, 1 for equal.
        few_labels: Labels per class, shape ``(n,)``.
        few_label_mean: Mean test accuracy over the repeats, shape ``(n,)``.
        few_label_std: Standard deviation over the repeats (ddof 1), shape ``(n,)``; NaN for one
            repeat.
        n_repeats: Random choices of the labeled examples.
        chance: Test accuracy of always naming the commonest training class.
        n_classes: Classes in the training labels.
        n_train: Training latents.
        n_test: Test latents.
    """

    linear_probe: float
    probe_converged: bool
    knn: float
    n_neighbors: int
    nmi: float
    ari: float
    few_labels: NDArray[np.int64]
    few_label_mean: NDArray[np.float64]
    few_label_std: NDArray[np.float64]
    n_repeats: int
    chance: float
    n_classes: int
    n_train: int
    n_test: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabeledLatents:
    """Checked and standardized latents of both sets, what every measure here starts from."""

    train: Latents
    train_labels: Labels
    test: Latents
    test_labels: Labels


def representation_report(
    train_latents: ArrayLike,
    train_labels: ArrayLike,
    test_latents: ArrayLike,
    test_labels: ArrayLike,
    *,
    seed: int,
    n_neighbors: int = N_NEIGHBORS,
    few_labels: Sequence[int] = FEW_LABELS,
    n_repeats: int = N_REPEATS,
) -> RepresentationReport:
    """Ask the latents all four questions.

    Args:
        train_latents: Latents to fit on, shape ``(N, d)``.
        train_labels: Their classes, integers of shape ``(N,)``.
        test_latents: Latents to judge on, shape ``(M, d)``.
        test_labels: Their classes, integers of shape ``(M,)``, each one among the training's.
        seed: Decides the k-means starts and the choice of labeled examples.
        n_neighbors: Neighbors that vote in k-NN.
        few_labels: Labels per class of each few-label measurement.
        n_repeats: Random choices of labeled examples per measurement.

    Raises:
        ValueError: If shapes disagree, a latent is not finite, there are fewer than two classes,
            or a setting asks for more examples than there are.
    """
    data = labeled_latents(train_latents, train_labels, test_latents, test_labels)
    accuracy, converged = linear_probe(data)
    nmi, ari = clustering(data, seed=seed)
    few = np.array(
        [few_label_accuracy(data, n, n_repeats=n_repeats, seed=seed) for n in few_labels]
    ).reshape(len(few_labels), n_repeats)
    classes, counts = np.unique(data.train_labels, return_counts=True)
    return RepresentationReport(
        linear_probe=accuracy,
        probe_converged=converged,
        knn=knn_accuracy(data, n_neighbors),
        n_neighbors=n_neighbors,
        nmi=nmi,
        ari=ari,
        few_labels=np.array(few_labels, dtype=np.int64),
        few_label_mean=few.mean(axis=1),
        few_label_std=few.std(axis=1, ddof=1) if n_repeats > 1 else np.full(len(few), np.nan),
        n_repeats=n_repeats,
        chance=float((data.test_labels == classes[counts.argmax()]).mean()),
        n_classes=len(classes),
        n_train=len(data.train),
        n_test=len(data.test),
    )


def linear_probe(data: LabeledLatents) -> tuple[float, bool]:
    """Test accuracy of a logistic regression with unit L2 penalty, and whether it converged."""
    model = _logistic(data.train, data.train_labels)
    accuracy = float((model.predict(data.test) == data.test_labels).mean())
    return accuracy, bool((model.n_iter_ < PROBE_ITERATIONS).all())


def knn_accuracy(data: LabeledLatents, n_neighbors: int) -> float:
    """Test accuracy of the majority among the nearest training latents (Euclidean).

    Raises:
        ValueError: If ``n_neighbors`` is less than 1 or more than the training latents.
    """
    from sklearn.neighbors import KNeighborsClassifier

    if not is_count(n_neighbors) or n_neighbors > len(data.train):
        raise ValueError(
            f"n_neighbors must lie between 1 and the {len(data.train)} training latents, "
            f"got {n_neighbors}"
        )
    model = KNeighborsClassifier(n_neighbors).fit(data.train, data.train_labels)
    return float((model.predict(data.test) == data.test_labels).mean())


def clustering(data: LabeledLatents, *, seed: int) -> tuple[float, float]:
    """NMI and ARI of the test labels and k-means clusters found on the training latents.

    There are as many clusters as classes; the best of ten starts is taken.

    Reference:
        Hubert and Arabie (1985), Journal of Classification 2, 193-218, for the ARI.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    n_clusters = len(np.unique(data.train_labels))
    model = KMeans(n_clusters, n_init=10, random_state=derive_seed(seed, "k-means") % 2**32)
    with warnings.catch_warnings():
        # Collapsed latents have fewer distinct points than classes; the score then says so.
        warnings.simplefilter("ignore", ConvergenceWarning)
        clusters = model.fit(data.train).predict(data.test)
    return (
        float(normalized_mutual_info_score(data.test_labels, clusters)),
        float(adjusted_rand_score(data.test_labels, clusters)),
    )


def few_label_accuracy(
    data: LabeledLatents, n_labels: int, *, n_repeats: int, seed: int
) -> NDArray[np.float64]:
    """Test accuracy of logistic regressions that see ``n_labels`` examples per class.

    Repeat r draws from ``stream(seed, "few labels", r)``, whatever ``n_labels``: the examples of
    a smaller number are among those of a larger one, so a curve over numbers is smooth.

    Returns:
        Array of shape ``(n_repeats,)``.

    Raises:
        ValueError: If ``n_labels`` or ``n_repeats`` is less than 1 or a class has fewer examples.
    """
    check_count("n_repeats", n_repeats)
    accuracy = np.empty(n_repeats)
    for repeat in range(n_repeats):
        chosen = pick_per_class(data.train_labels, n_labels, stream(seed, "few labels", repeat))
        model = _logistic(data.train[chosen], data.train_labels[chosen])
        accuracy[repeat] = (model.predict(data.test) == data.test_labels).mean()
    return accuracy


def pick_per_class(labels: Labels, n_labels: int, generator: torch.Generator) -> NDArray[np.int64]:
    """Indices of ``n_labels`` random examples of every class.

    Raises:
        ValueError: If ``n_labels`` is less than 1 or a class has fewer examples.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if len(labels) == 0:
        raise ValueError("labels must hold at least one example, got none")
    if not is_count(n_labels) or n_labels > counts.min():
        raise ValueError(
            f"labels per class must lie between 1 and {counts.min()}, the size of the smallest "
            f"class ({classes[counts.argmin()]}), got {n_labels}"
        )
    order = torch.randperm(len(labels), generator=generator).numpy()
    return np.concatenate([order[labels[order] == label][:n_labels] for label in classes])


def labeled_latents(
    train_latents: ArrayLike,
    train_labels: ArrayLike,
    test_latents: ArrayLike,
    test_labels: ArrayLike,
) -> LabeledLatents:
    """Check both sets and standardize them by the training latents, one scale for all axes.

    Raises:
        ValueError: If shapes disagree, a latent is not finite, labels are not integers, there are
            fewer than two classes, or a test label is unknown in training.
    """
    train, test = np.asarray(train_latents), np.asarray(test_latents)
    y_train, y_test = np.asarray(train_labels), np.asarray(test_labels)
    faults = [*_faults_of("train", train, y_train), *_faults_of("test", test, y_test)]
    if not faults:
        if train.shape[1] != test.shape[1]:
            faults.append(
                f"latents must have equal dimension, got {train.shape[1]} and {test.shape[1]}"
            )
        if len(np.unique(y_train)) < 2:
            faults.append("train_labels must hold at least two classes: a sorted set cut short?")
        elif unknown := sorted(set(y_test.tolist()) - set(y_train.tolist())):
            faults.append(f"test_labels holds classes that training never saw: {unknown}")
    if faults:
        raise ValueError("; ".join(faults))
    train, test = train.astype(np.float64), test.astype(np.float64)
    shift, scale = train.mean(axis=0), np.sqrt(train.var(axis=0).mean())
    # Latents that never move have no scale; the measures then fall to chance by themselves.
    scale = scale if scale > 0 else 1.0
    return LabeledLatents(
        train=(train - shift) / scale,
        train_labels=y_train.astype(np.int64),
        test=(test - shift) / scale,
        test_labels=y_test.astype(np.int64),
    )


def _faults_of(part: str, latents: NDArray[Any], labels: NDArray[Any]) -> list[str]:
    if latents.ndim != 2 or latents.size == 0 or latents.dtype.kind not in "fiu":
        return [
            f"{part}_latents must be numbers of shape (N, d), got {latents.dtype} of "
            f"{latents.shape}"
        ]
    faults = []
    if not np.isfinite(latents).all():
        faults.append(f"{part}_latents must be finite, got NaN or infinity: training diverged?")
    elif (largest := float(np.abs(latents).max())) > LARGEST_LATENT:
        faults.append(
            f"{part}_latents are too large to square (beyond {LARGEST_LATENT:g}), got "
            f"{largest:g}: training diverged?"
        )
    if labels.shape != latents.shape[:1] or labels.dtype.kind not in "iu":
        faults.append(
            f"{part}_labels must be integers of shape ({len(latents)},), got {labels.dtype} of "
            f"{labels.shape}"
        )
    return faults


def _logistic(latents: Latents, labels: Labels) -> Any:
    """Fit scikit-learn's logistic regression; ``n_iter_`` says whether it came to rest."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(max_iter=PROBE_ITERATIONS).fit(latents, labels)
