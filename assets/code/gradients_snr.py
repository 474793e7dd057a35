"""Signal to noise of one gradient against K, exact and from 100 repeats."""

import numpy as np
import torch

from iwae_core.evaluation.studies.gradient_oracle import Point, exact_moments, gradients
from iwae_core.rng import standard_normal, stream

SHIFT = 1.0  # of q's mean, in standard deviations of the posterior
SCALE = 1.3  # of q, times the posterior's
ESTIMATOR = "reparameterized"  # stick_the_landing, doubly_reparameterized, wake_sleep
K = 64  # samples in one gradient
SEED = 1

# %%
point = Point(SHIFT, SCALE)
grid = np.array([512, 1024, 2048, 4096])
mean, std = exact_moments(point, ESTIMATOR, (K, *grid.tolist()))  # by quadrature
snr = np.abs(mean) / std  # of V_11, V_21, W_11, W_12
for name, part in (("encoder", slice(0, 2)), ("decoder", slice(2, 4))):
    curve = snr[:, part].mean(axis=1)
    slope = np.polyfit(np.log(grid), np.log(curve[1:]), 1)[0]
    print(f"{name}_snr = {curve[0]:.9g}")
    print(f"{name}_slope = {slope:.9g}")

# %%
if K <= 256:  # as one would measure it on a network
    eps = standard_normal((K, 100, 2), stream(SEED, "snr", ESTIMATOR, K), torch.float64)
    found = gradients(point, ESTIMATOR, eps)[0].numpy()
    ratio = np.abs(found.mean(0)) / found.std(0, ddof=1)
    print(f"encoder_measured = {ratio[:2].mean():.9g}")
    print(f"decoder_measured = {ratio[2:].mean():.9g}")
