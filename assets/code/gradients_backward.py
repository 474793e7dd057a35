"""Backward through few of K samples: error against the exact backward pass, same noise."""

from iwae_core.evaluation.studies import backward_cost
from iwae_core.evaluation.studies.backward_cost import BackwardCostConfig
from iwae_core.rng import stream

SHIFT = 1.0  # of q's mean, in standard deviations of the posterior
SCALE = 1.3  # of q, times the posterior's
K = 50  # samples forward
SEED = 1

# %%
config = BackwardCostConfig(shift=SHIFT, scale=SCALE, n_samples=K, seed=SEED)
report = backward_cost.run(config)
for mode in report.modes:
    name = f"{mode.name}_{mode.setting:g}"
    # Of V_11 (encoder) and W_11 (decoder), in units of the noise that is there anyway.
    print(f"{name}: backward through {100 * mode.touched:.3g} % of the samples")
    print(f"  added error {mode.added[0]:.6g} and {mode.added[2]:.6g}")
    print(f"  bias {mode.bias[0] / report.std[0]:.6g} and {mode.bias[2] / report.std[2]:.6g}")

# %%
model, x = backward_cost.small_net(SEED)  # untrained; milliseconds on this machine, now
print(backward_cost.measure_ms(model, x, K, stream(SEED, "timing"), n_rounds=3))
