"""How many samples? The rule exp(KL(p||q)) beside two hundred estimators and your flag."""

import math

from iwae_core.evaluation.studies import how_many
from iwae_core.evaluation.studies.choices import find_target
from iwae_core.sampling.densities import Normal
from iwae_core.sampling.divergences import kl_divergence

TARGET = "standard_normal"  # or "far_bump"
LOC = 2.0  # of the Normal proposal
SCALE = 1.0
FLAG = 100  # draws
SEED = 1

# %%
kl = kl_divergence(find_target(TARGET).made, Normal(LOC, SCALE))
print(f"kl = {kl:.9g}")
print(f"needed = {math.exp(kl):.9g}")

# %%
report = how_many.run(how_many.HowManyConfig(target=TARGET, loc=LOC, scale=SCALE, seed=SEED))
score = how_many.score(FLAG, report)
print(f"measured = {report.measured:.9g}")  # draws until 90 % stay within a tenth; maybe inf
print(f"needed_variance = {report.needed_variance:.9g}")
print(f"score = {score.from_measured:.9g}")  # log10(flag / measured)
print(f"within_at_flag = {score.within_at_flag:.9g}")
