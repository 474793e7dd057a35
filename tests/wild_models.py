"""Calls of `models` and `datasets` with wild arguments, for test_bad_input."""

from pathlib import Path

import torch
from hypothesis import strategies as st
from wild_values import (
    LATENT,
    D,
    counts,
    finite_x,
    finite_z,
    generators,
    names,
    numbers,
    shaped,
    tensors,
    x,
)

from iwae_core import datasets, rng
from iwae_core.datasets import readers
from iwae_core.models import linear_vae
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae

VAE = Vae(D, LATENT, hidden=(4,), generator=rng.make_generator(0))
GAUSSIAN = Vae(D, LATENT, hidden=(4,), likelihood="gaussian", generator=rng.make_generator(0))
TWO = TwoLayerVae(D, (LATENT, 1), hidden=(4,), second_hidden=(3,), generator=rng.make_generator(0))
ORACLE = LinearGaussian(torch.ones(D, LATENT), torch.zeros(D), 0.5)
models = st.sampled_from([VAE, GAUSSIAN, TWO])
folders = st.sampled_from([None, "/no/such/folder", "", ".", "\0"])


# name -> (function, strategies of its arguments)
CALLS = {
    "LinearGaussian": (LinearGaussian, shaped((D, LATENT)), shaped((D,)), numbers),
    "oracle's log_joint": (ORACLE.log_joint, finite_x, finite_z),
    "oracle's log_marginal": (ORACLE.log_marginal, x),
    "oracle's posterior": (ORACLE.posterior, x),
    "oracle's sample": (ORACLE.sample, counts, generators),
    "Vae": (
        lambda D, d, h, s: Vae(
            D, d, hidden=h, likelihood="gaussian", scale=s, generator=rng.make_generator(0)
        ),
        counts,
        counts,
        st.lists(counts, max_size=2),
        numbers,
    ),
    "Vae's names": (
        lambda a, b, c: Vae(2, 1, likelihood=a, activation=b, decoder=c, generator=None),
        names,
        names,
        names,
    ),
    "encode": (lambda m, x: m.encode(x), models, x),
    "decode": (lambda m, z: m.decode(z), models, shaped((4, LATENT), (2, 3, LATENT + 1))),
    "log_weights": (lambda m, x, K, g: m.log_weights(x, K, g), models, x, counts, generators),
    "log_joint": (lambda m, x, z: m.log_joint(x, z), models, finite_x, finite_z),
    "model's sample": (lambda m, n, g: m.sample(n, g), models, counts, generators),
    "optimum": (linear_vae.optimum, shaped((D, D)), shaped((D,)), counts, numbers),
    "predict": (linear_vae.predict, shaped((D, D)), counts, numbers),
    "maximum_likelihood_scale": (linear_vae.maximum_likelihood_scale, shaped((D, D)), counts),
    "binarize": (datasets.binarize, tensors(), generators),
    "find": (datasets.find, names),
    "moons": (lambda n, g, s: datasets.moons(n, g, noise=s), counts, generators, numbers),
    "rings": (
        lambda n, g, k, s: datasets.rings(n, g, n_rings=k, noise=s),
        counts,
        generators,
        counts,
        numbers,
    ),
    "gaussians": (
        lambda n, g, k, s: datasets.gaussians(n, g, side=k, noise=s),
        counts,
        generators,
        counts,
        numbers,
    ),
    "pinwheel": (
        lambda n, g, k, r: datasets.pinwheel(n, g, n_arms=k, rate=r),
        counts,
        generators,
        counts,
        numbers,
    ),
    "TwoLayerVae": (
        lambda d, h, s: TwoLayerVae(
            D, tuple(d), hidden=(4,), second_hidden=h, scale=s, generator=rng.make_generator(0)
        ),
        st.lists(counts, max_size=3),
        st.lists(counts, max_size=2),
        numbers,
    ),
    "LinearVae": (
        lambda w, s, x: linear_vae.LinearVae(ORACLE, w, s).elbo(x),
        shaped((LATENT, D)),
        shaped((LATENT,)),
        x,
    ),
    "model's log_likelihood": (lambda m, x, z: m.log_likelihood(x, z), models, finite_x, finite_z),
    "kl_per_unit": (
        lambda m, x, K, g: m.kl_per_unit(x, K, g),
        models,
        finite_x,
        counts,
        generators,
    ),
    "layer_means": (
        lambda m, x, K, g: m.layer_means(x, K, g),
        models,
        finite_x,
        counts,
        generators,
    ),
    "load": (datasets.load, st.sampled_from(["digits", "mnits", "", "moons"]), folders),
    "missing_files": (datasets.missing_files, names, folders),
    "parse_idx": (
        lambda content, n: readers.parse_idx(content, Path("a file"), n),
        st.binary(max_size=24) | st.binary(max_size=8).map(lambda b: b"\0\0\x08\x01" + b),
        st.one_of(st.none(), counts),
    ),
    "parse_amat": (
        lambda content, n: readers.parse_amat(content, Path("a file"), n),
        st.binary(max_size=12) | st.text("01 \n2", max_size=12).map(str.encode),
        counts,
    ),
}
