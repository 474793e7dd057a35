"""Calls of `training` and `evaluation` with wild arguments, for test_bad_input."""

import dataclasses
import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from wild_models import ORACLE, VAE, folders, models
from wild_values import (
    counts,
    generators,
    names,
    numbers,
    shaped,
    vectors,
    x,
)

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
from iwae_core.models.networks import DiagonalNormal
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

BIAS = VAE.encoder[0].layers[0].bias
LABELED = representation.labeled_latents(
    np.arange(24.0).reshape(12, 2),
    np.arange(12) % 3,
    np.arange(12.0).reshape(6, 2),
    np.arange(6) % 3,
)
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
