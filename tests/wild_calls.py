"""Public functions with arguments far outside what they accept, for test_bad_input."""

import dataclasses
import math

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from iwae_core import datasets, rng
from iwae_core.bounds import debias, exact, objectives, rate, sumo, upper
from iwae_core.evaluation import (
    AisConfig,
    ais,
    collapse_report,
    log_likelihood,
    prior_start,
    representation,
    units,
)
from iwae_core.evaluation import posterior as grids
from iwae_core.models import linear_vae
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.networks import DiagonalNormal
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae
from iwae_core.sampling import (
    densities,
    divergences,
    estimators,
    multiple,
    problems,
    psis,
    resampling,
    weights,
)
from iwae_core.training import LIVE_FIELDS, TrainConfig, advance, begin, burda_config

D, LATENT = 3, 2
# Not st.floats: it refuses to work in a thread where training has turned denormals off.
tame = st.integers(-48, 48).map(lambda sixteenths: sixteenths / 16)
numbers = st.one_of(
    tame,
    st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf, 1e30, -1e30, -800.0]),
)


def tensors(elements=numbers, shapes=None):
    if shapes is None:
        shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    arrays = hnp.arrays(np.float64, shapes, elements=elements)
    return st.builds(
        as_tensor, arrays, st.sampled_from([torch.float64, torch.float32, torch.int64])
    )


def as_tensor(values, dtype):
    if dtype == torch.int64:
        values = np.nan_to_num(values, posinf=0, neginf=0).clip(-9, 9)
    return torch.from_numpy(np.asarray(values)).to(dtype)


def shaped(*shapes, elements=numbers):
    """Mostly of a right shape, so that the values are what is judged; else of any."""
    return st.one_of([tensors(elements, st.just(shape)) for shape in shapes] + [tensors(elements)])


log_w = shaped((4,), (30,), (4, 2))
f = shaped((4,), (30,), (4, 2))
x = shaped((2, D), (1, D), (2, D))
finite_x = shaped((2, D), (1, D), elements=tame)
finite_z = shaped((4, 2, LATENT), (5, 1, LATENT), (4, 2, LATENT + 1), elements=tame)
counts = st.sampled_from([-1, 0, 1, 2, 5, 1.5, math.nan, True])
settings_ = st.one_of(numbers, st.sampled_from([-1, 0, 1, 2, 0.5]))
names = st.one_of(st.text(max_size=8), st.sampled_from(["iwea", "dgits", "elbo", "IWAE", "good"]))
generators = st.integers(0, 3).map(rng.make_generator)
shapes = st.lists(st.sampled_from([-1, 0, 1, 3]), max_size=2).map(tuple)

VAE = Vae(D, LATENT, hidden=(4,), generator=rng.make_generator(0))
GAUSSIAN = Vae(D, LATENT, hidden=(4,), likelihood="gaussian", generator=rng.make_generator(0))
TWO = TwoLayerVae(D, (LATENT, 1), hidden=(4,), second_hidden=(3,), generator=rng.make_generator(0))
ORACLE = LinearGaussian(torch.ones(D, LATENT), torch.zeros(D), 0.5)
models = st.sampled_from([VAE, GAUSSIAN, TWO])
START = begin(TrainConfig(hidden=(4,), latent_dim=2, n_samples=2, batch_size=5))

lines = st.sampled_from(
    [
        densities.Normal(0.0, 1.0),
        densities.Normal(2.0, 0.3),
        densities.Uniform(0.0, 1.0),
        densities.StudentT(0.0, 1.0, 2.5),
        densities.Exponential(1.0),
        densities.Laplace(0.0, 1.0),
        densities.Scaled(densities.Normal(0.0, 1.0), 2.0),
    ]
)

planes = st.sampled_from(
    [
        densities.Gaussian((0.0, 1.0), ((1.0, 0.3), (0.3, 2.0))),
        densities.Banana(),
        densities.Funnel(),
    ]
)
vectors = shaped((4, 2), (3, 4, 2))
normals = st.builds(DiagonalNormal, shaped((1, 2)), shaped((1, 2)))
labels = hnp.arrays(np.int64, st.sampled_from([(6,), (5,), (0,)]), elements=st.integers(0, 2))
latents = hnp.arrays(np.float64, st.sampled_from([(6, 2), (5, 2), (6,), (0, 2)]), elements=numbers)
small_ais = st.builds(
    AisConfig, n_chains=st.just(2), n_temperatures=st.just(3), n_leapfrog=st.just(2)
)
any_setting = st.one_of(numbers, counts, names, st.none(), st.lists(counts, max_size=2))
config_fields = st.dictionaries(
    st.sampled_from([field.name for field in dataclasses.fields(TrainConfig)]) | names,
    any_setting,
    max_size=3,
)
live_fields = st.dictionaries(st.sampled_from(LIVE_FIELDS) | names, any_setting, max_size=2)

# name -> (function, strategies of its arguments)
CALLS = {
    "ess": (weights.ess, log_w),
    "perplexity": (weights.perplexity, log_w),
    "max_weight": (weights.max_weight, log_w),
    "normalize": (weights.normalize, log_w),
    "k_hat": (psis.k_hat, log_w),
    "smooth": (psis.smooth, log_w),
    "monte_carlo": (estimators.monte_carlo, f),
    "importance": (estimators.importance, f, log_w),
    "self_normalized": (estimators.self_normalized, f, log_w),
    "pareto_smoothed": (estimators.pareto_smoothed, f, log_w),
    "control_variate": (estimators.control_variate, f, log_w),
    "multinomial": (resampling.multinomial, log_w, counts, generators),
    "stratified": (resampling.stratified, log_w, counts, generators),
    "systematic": (resampling.systematic, log_w, counts, generators),
    "resample": (resampling.resample, f, tensors()),
    "resampled": (resampling.resampled, f, log_w, counts, generators),
    "sample_each": (
        multiple.sample_each,
        st.lists(lines, max_size=3),
        st.lists(counts, max_size=3),
        generators,
    ),
    "balance": (
        multiple.balance_log_weights,
        lines,
        st.lists(lines, max_size=3),
        st.lists(counts, max_size=3),
        f,
    ),
    "power": (
        multiple.power_log_weights,
        lines,
        st.lists(lines, max_size=2),
        st.lists(counts, max_size=2),
        f,
        numbers,
    ),
    "multiple_importance": (multiple.multiple_importance, f, log_w, st.lists(counts, max_size=3)),
    "Normal": (densities.Normal, numbers, numbers),
    "StudentT": (densities.StudentT, numbers, numbers, numbers),
    "Laplace": (densities.Laplace, numbers, numbers),
    "Uniform": (densities.Uniform, numbers, numbers),
    "Exponential": (densities.Exponential, numbers, numbers),
    "Truncated": (densities.Truncated, lines, numbers, numbers),
    "Scaled": (densities.Scaled, lines, numbers),
    "Mixture": (
        lambda c, w: densities.Mixture(tuple(c), tuple(w)),
        st.lists(lines, max_size=2),
        st.lists(numbers, max_size=2),
    ),
    "defensive_mixture": (densities.defensive_mixture, lines, lines, numbers),
    "Gaussian": (densities.Gaussian, shaped((2,)), shaped((2, 2))),
    "Banana": (densities.Banana, numbers, numbers, numbers),
    "Funnel": (densities.Funnel, counts, numbers),
    "log_prob": (lambda p, z: p.log_prob(z), lines, f),
    "cdf": (lambda p, z: (p.cdf(z), p.sf(z)), lines, f),
    "icdf": (lambda p, u: (p.icdf(u), p.isf(u)), lines, f),
    "sample": (lambda p, shape, g: p.sample(shape, g), lines, shapes, generators),
    "log_prob in the plane": (lambda p, z: p.log_prob(z), planes, vectors),
    "sample in the plane": (lambda p, shape, g: p.sample(shape, g), planes, shapes, generators),
    "get_problem": (problems.get_problem, names),
    "chi_square_moment": (divergences.chi_square_moment, lines, lines),
    "kl_divergence": (divergences.kl_divergence, lines, lines),
    "tail_index": (divergences.tail_index, lines, lines),
    "make_objective": (objectives.make_objective, names, st.one_of(st.none(), numbers)),
    "Renyi": (
        lambda alpha, w: objectives.Renyi(alpha)(w),
        settings_,
        shaped((4, 2), elements=tame),
    ),
    "Ciwae": (lambda beta, w: objectives.Ciwae(beta)(w), settings_, shaped((4, 2), elements=tame)),
    "Miwae": (lambda m, w: objectives.Miwae(m)(w), counts, shaped((4, 2), elements=tame)),
    "elbo": (objectives.elbo, tensors(tame)),
    "iwae": (objectives.iwae, tensors(tame)),
    "log_mean_exp": (weights.log_mean_exp, tensors(tame)),
    "sample_shares": (lambda w: objectives.sample_shares(objectives.iwae, w), tensors(tame)),
    "Jackknife": (lambda m, w: debias.Jackknife(m)(w), counts, log_w),
    "delta_method": (debias.delta_method, log_w),
    "Sumo": (lambda m, t, r: sumo.Sumo(m, t, r), counts, counts, numbers),
    "Sumo's estimate": (lambda w, n: sumo.Sumo()(w, n), log_w, tensors()),
    "Sumo's draw": (lambda shape, g: sumo.Sumo().draw_n_samples(shape, g), shapes, generators),
    "upper": (upper.exact_draw_upper_bound, shaped((2,)), shaped((4, 2))),
    "expected_bound": (exact.expected_bound, log_w, f, st.lists(counts, max_size=3)),
    "make_estimator": (
        lambda n, b, t: rate.make_estimator(n, free_bits=b, target_rate=t),
        names,
        numbers,
        st.one_of(st.none(), numbers),
    ),
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
    "make_generator": (rng.make_generator, st.one_of(counts, numbers, st.just(2**64))),
    "stream": (lambda s, n: rng.stream(s, n), st.one_of(counts, numbers), names),
    "standard_normal": (rng.standard_normal, shapes, generators),
}
