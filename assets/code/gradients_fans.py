"""Sixty repeated gradients: how many point the way of their mean?"""

import torch

from iwae_core.evaluation.studies.gradient_oracle import Point, exact_moments, gradients
from iwae_core.rng import standard_normal, stream

SHIFT = 1.0  # of q's mean, in standard deviations of the posterior
SCALE = 1.3  # of q, times the posterior's
ESTIMATOR = "reparameterized"  # stick_the_landing, doubly_reparameterized, wake_sleep
K = 1  # samples
SEED = 1

# %%
point = Point(SHIFT, SCALE)
eps = standard_normal((K, 60, 2), stream(SEED, "fan", K), torch.float64)
arrows = gradients(point, ESTIMATOR, eps)[0].numpy()  # (60, 4)
mean, std = (moment[0] for moment in exact_moments(point, ESTIMATOR, (K,)))  # by quadrature

# %%
for name, part in (("encoder", slice(0, 2)), ("decoder", slice(2, 4))):
    agreeing = (arrows[:, part] @ mean[part] > 0).mean()
    snr = (abs(mean[part]) / std[part]).mean()
    print(f"{name}_agreeing = {agreeing:.9g}")
    print(f"{name}_snr = {snr:.9g}")
