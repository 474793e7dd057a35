"""All cures on one board: error, bias and cost on one question."""

from iwae_core.evaluation.studies.board import BoardConfig, run

TARGET = "two_modes"
FAMILY = "normal"  # of the proposal
LOC = 1.0
SCALE = 2.0
DF = 3.0  # for the family "student_t"
INTEGRAND = "z"
K = 250  # draws in a run
SEED = 1

# %%
report = run(
    BoardConfig(
        target=TARGET,
        family=FAMILY,
        loc=LOC,
        scale=SCALE,
        df=DF,
        integrand=INTEGRAND,
        n_samples=K,
        seed=SEED,
    )
)

# %%
print(f"exact = {report.exact:.9g}")
for row in report.rows:
    print(f"{row.key}_rmse = {row.rmse:.9g}")
    print(f"{row.key}_bias = {row.bias:.9g}")
    print(f"{row.key}_cost = {row.cost}")
for title, reason in report.missing:
    print(f"# {title}: {reason}")
