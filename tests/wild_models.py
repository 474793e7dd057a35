"""Calls of `models`, `datasets`, `training` and `evaluation` with wild arguments."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
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
    vectors,
    x,
)

from iwae_core import datasets, rng
from iwae_core.datasets import readers
from iwae_core.evaluation import (
    AisConfig,
    ais,
    collapse_report,
    gradient_fan,
    gradient_snr,
    log_likelihood,
    prior_start,
    representation,
    units,
)
from iwae_core.evaluation import posterior as grids
from iwae_core.evaluation.collapse import log_aggregate
from iwae_core.models import linear_vae
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.networks import DiagonalNormal
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae
from iwae_core.training import (
    LIVE_FIELDS,
    TrainConfig,
    advance,
    begin,
    burda_config,
    load,
    schedule,
)
from iwae_core.training.presets import burda_epochs

VAE = Vae(D, LATENT, hidden=(4,), generator=rng.make_generator(0))
GAUSSIAN = Vae(D, LATENT, hidden=(4,), likelihood="gaussian", generator=rng.make_generator(0))
TWO = TwoLayerVae(D, (LATENT, 1), hidden=(4,), second_hidden=(3,), generator=rng.make_generator(0))
ORACLE = LinearGaussian(torch.ones(D, LATENT), torch.zeros(D), 0.5)
models = st.sampled_from([VAE, GAUSSIAN, TWO])
BIAS = VAE.encoder[0].layers[0].bias
LABELED = representation.labeled_latents(
    np.arange(24.0).reshape(12, 2),
    np.arange(12) % 3,
    np.arange(12.0).reshape(6, 2),
    np.arange(6) % 3,
)
folders = st.sampled_from([None, "/no/such/folder", "", ".", "\0"])
START = begin(TrainConfig(hidden=(4,), latent_dim=2, n_samples=2, batch_size=5))

normals = st.builds(DiagonalNormal, shaped((1, 2)), shaped((1, 2)))
labels = hnp.arrays(np.int64, st.sampled_from([(6,), (5,), (0,)]), elements=st.integers(0, 2))
latents = hnp.arrays(np.float64, st.sampled_from([(6, 2), (5, 2), (6,), (0, 2)]), elements=numbers)
small_ais = st.builds(
    AisConfig, n_chains=st.just(2), n_temperatures=st.just(3), n_leapfrog=st.just(2)
)
any_field = st.one_of(numbers, counts, names, st.none(), st.lists(counts, max_size=2))
config_fields = st.dictionaries(
    st.sampled_from([field.name for field in dataclasses.fields(TrainConfig)]) | names,
    any_field,
    max_size=3,
)
live_fields = st.dictionaries(st.sampled_from(LIVE_FIELDS) | names, any_field, max_size=2)


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
    "TrainConfig": (TrainConfig.from_json, config_fields),
    "with_changes": (lambda c: TrainConfig().with_changes(**c), live_fields),
    "burda_config": (
        lambda n, K, o, d, s: burda_config(n, K, o, dataset=d, stretch=s, seed=0),
        counts,
        counts,
        names,
        names,
        numbers,
    ),
    "advance": (lambda n: advance(START, n).records, st.sampled_from([-1, 0, 1, 1.5, math.nan])),
    "log_likelihood": (
        lambda m, x, K, g, c: log_likelihood(m, x, K, g, chunk=c),
        models,
        x,
        counts,
        generators,
        counts,
    ),
    "collapse_report": (
        lambda m, x, g, n: collapse_report(m, x, g, n_samples=n),
        models,
        x,
        generators,
        counts,
    ),
    "collapsed_units": (
        lambda m, x, g, e, d, n: units.collapsed_units(m, x, g, epsilon=e, delta=d, n_samples=n),
        models,
        x,
        generators,
        numbers,
        numbers,
        counts,
    ),
    "aggregate_kl": (
        lambda m, x, g, n: units.aggregate_kl(m, x, g, n_samples=n),
        models,
        x,
        generators,
        counts,
    ),
    "decoder_sensitivity": (lambda x, h: units.decoder_sensitivity(VAE, x, step=h), x, numbers),
    "latent_swap": (
        lambda m, x, u: units.latent_swap(m, x, u),
        models,
        x,
        st.lists(counts, max_size=2),
    ),
    "AisConfig": (
        lambda a, b, c, d, e, s: AisConfig(
            n_chains=a,
            n_temperatures=b,
            n_leapfrog=c,
            target_acceptance=d,
            step_size=e,
            schedule=s,
        ),
        counts,
        counts,
        counts,
        numbers,
        numbers,
        names,
    ),
    "ais": (
        lambda x, c, g, z: ais(ORACLE, x, prior_start(x, 2), c, g, posterior_draw=z),
        x,
        small_ais,
        generators,
        st.one_of(st.none(), shaped((2, 2), (1, 2))),
    ),
    "Grid": (lambda a, b, n: grids.Grid(low=(a, a), high=(b, b), n=n), numbers, numbers, counts),
    "exact_posterior": (lambda x: grids.exact_posterior(ORACLE, x, grids.Grid(n=8)), x),
    "variational_posterior": (lambda q: grids.variational_posterior(q, grids.Grid(n=8)), normals),
    "implicit_posterior": (
        lambda x, q, K, g, r: grids.implicit_posterior(
            ORACLE, x, q, K, grids.Grid(n=8), g, n_repeats=r
        ),
        x,
        normals,
        counts,
        generators,
        counts,
    ),
    "resampled_posterior": (
        lambda x, q, K, n, g: grids.resampled_posterior(ORACLE, x, q, K, n, g),
        x,
        normals,
        counts,
        counts,
        generators,
    ),
    "labeled_latents": (representation.labeled_latents, latents, labels, latents, labels),
    "pick_per_class": (representation.pick_per_class, labels, counts, generators),
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
    "kept run": (load, folders.filter(lambda folder: folder is not None)),
    "burda_epochs": (burda_epochs, numbers),
    "KL schedules": (
        lambda name, t, n, r: schedule.KL_SCHEDULES[name].weight(t, n, r),
        st.sampled_from(list(schedule.KL_SCHEDULES)),
        counts,
        counts,
        numbers,
    ),
    "rate schedules": (
        lambda name, t, s: schedule.RATE_SCHEDULES[name].factor(t, s),
        st.sampled_from(list(schedule.RATE_SCHEDULES)),
        counts,
        numbers,
    ),
    "gradient_snr": (
        lambda m, x, e, K, n, g: gradient_snr(
            m, x, estimators=e, n_samples=K, n_repeats=n, generator=g
        ),
        models,
        x,
        st.lists(st.sampled_from(["reparameterized", "closed_form_kl", "dreg"]), max_size=2),
        st.lists(counts, max_size=2),
        counts,
        generators,
    ),
    "gradient_fan": (
        lambda x, e, K, i, n, g: gradient_fan(
            VAE,
            x,
            estimator=e,
            n_samples=K,
            coordinates=((BIAS, i), (BIAS, 0)),
            n_repeats=n,
            generator=g,
        ),
        x,
        names | st.just("wake_sleep"),
        counts,
        st.sampled_from([-1, 0, 1, 99]),
        counts,
        generators,
    ),
    "representation_report": (
        lambda a, b, n, few, r: representation.representation_report(
            a, b, a, b, seed=0, n_neighbors=n, few_labels=few, n_repeats=r
        ),
        latents,
        labels,
        counts,
        st.lists(counts, max_size=2),
        counts,
    ),
    "knn_accuracy": (lambda n: representation.knn_accuracy(LABELED, n), counts),
    "few_label_accuracy": (
        lambda n, r, s: representation.few_label_accuracy(LABELED, n, n_repeats=r, seed=s),
        counts,
        counts,
        counts,
    ),
    "clustering": (lambda s: representation.clustering(LABELED, seed=s), counts),
    "log_aggregate": (log_aggregate, normals, vectors),
    "kl_on_grid": (
        lambda a, b, n: grids.kl_on_grid(
            grids.variational_posterior(a, grids.Grid(n=8)),
            grids.variational_posterior(b, grids.Grid(n=n)),
        ),
        normals,
        normals,
        st.sampled_from([2, 8]),
    ),
}
