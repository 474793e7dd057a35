"""The gap between the bound L_K and log p(x), closing as K grows."""

from iwae_core.evaluation.studies.tightness import TightnessConfig, run

SEED = 1

# %%
report = run(TightnessConfig(seed=SEED))
print(f"log p(x) = {report.log_marginal:.6f} nats, exactly")
for K, bound, std_error in zip(report.n_samples, report.bound, report.std_error, strict=True):
    gap = report.log_marginal - bound
    print(f"K = {K:.0f}: L_K = {bound:.6f} +- {std_error:.6f}, gap {gap:.6f}")
