"""Calls of `rng`, `sampling` and `bounds` with wild arguments, for test_bad_input."""

import math

import torch
from hypothesis import strategies as st
from wild_models import VAE
from wild_values import (
    D,
    counts,
    f,
    generators,
    integrands,
    lines,
    log_w,
    names,
    numbers,
    planes,
    settings_,
    shaped,
    shapes,
    tame,
    tensors,
    vectors,
)

from iwae_core import rng
from iwae_core.bounds import debias, exact, objectives, rate, sumo, upper
from iwae_core.bounds.backward import resampled, truncated
from iwae_core.bounds.objectives import iwae
from iwae_core.bounds.surrogates import reparameterized
from iwae_core.sampling import (
    densities,
    divergences,
    estimators,
    multiple,
    problems,
    psis,
    quadrature,
    resampling,
    weights,
)
from iwae_core.sampling.integrands import Exceeds, Power, Tilt

any_density = st.one_of(lines, planes, st.builds(densities.Product, lines, st.just(2)))
functions = st.sampled_from(
    [
        lambda z: torch.exp(-z.abs()),
        lambda z: -(z**2),
        lambda z: z / z,
        lambda z: torch.full_like(z, -math.inf),
        torch.ones_like,
    ]
)
any_setting = st.one_of(numbers, counts)


def drawn(n_samples, generator):
    """Draws of a small VAE."""
    return VAE.draws(torch.zeros(2, D), n_samples, generator)


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
    "make_generator": (rng.make_generator, st.one_of(counts, numbers, st.just(2**64))),
    "stream": (lambda s, n: rng.stream(s, n), st.one_of(counts, numbers), names),
    "standard_normal": (rng.standard_normal, shapes, generators),
    "uniform": (rng.uniform, shapes, generators),
    "Product": (densities.Product, lines, counts),
    "MultivariateMixture": (
        lambda c, w: densities.MultivariateMixture(tuple(c), tuple(w)),
        st.lists(planes, max_size=2),
        st.lists(numbers, max_size=2),
    ),
    "two_modes": (
        lambda a, b, w, d: densities.two_modes(a, b, w, d),
        numbers,
        numbers,
        st.lists(numbers, max_size=3),
        counts,
    ),
    "Tabulated": (
        lambda grid, heights: densities.Tabulated(tuple(grid), tuple(heights)),
        st.lists(numbers, max_size=5),
        st.lists(numbers, max_size=5),
    ),
    "scaled plane": (lambda p, s: densities.ScaledMultivariate(p, s), planes, numbers),
    "pdf in the plane": (
        lambda p, q, z: densities.defensive_mixture(p, q, 0.1).log_prob(z),
        planes,
        planes,
        vectors,
    ),
    "Power": (Power, any_setting),
    "Exceeds": (Exceeds, numbers),
    "Tilt": (Tilt, numbers),
    "expectation": (divergences.expectation, lines, integrands),
    "log_second_moment": (divergences.log_second_moment, lines, lines, integrands),
    "log_chi_square_moment": (divergences.log_chi_square_moment, any_density, any_density),
    "covers": (divergences.covers, lines, lines, integrands),
    "tail_index of any": (divergences.tail_index, any_density, any_density),
    "kl_divergence of any": (divergences.kl_divergence, any_density, any_density),
    "integrate": (
        lambda edges, tolerance, f: quadrature.integrate(f, edges, tolerance),
        st.lists(numbers, max_size=4),
        numbers,
        functions,
    ),
    "log_integrate": (
        lambda edges, tolerance, f: quadrature.log_integrate(f, edges, tolerance),
        st.lists(numbers, max_size=4),
        numbers,
        functions,
    ),
    "make_problem": (problems.make_problem, lines, lines, integrands),
    "tail_length": (psis.tail_length, counts),
    "sharot_coefficients": (debias.sharot_coefficients, counts, counts),
    "FreeBits": (rate.FreeBits, numbers),
    "TargetRate": (rate.TargetRate, numbers),
    "truncated backward": (
        lambda K, e, g: truncated(reparameterized, drawn(K, g), iwae, 1.0, epsilon=e),
        counts,
        numbers,
        generators,
    ),
    "resampled backward": (
        lambda K, n, g: resampled(reparameterized, drawn(K, g), iwae, 1.0, n_picks=n, generator=g),
        counts,
        counts,
        generators,
    ),
    "derive_seed": (rng.derive_seed, counts, names),
}
