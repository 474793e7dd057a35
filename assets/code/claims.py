"""The numbers behind one claim of the ledger, with its verdict."""

from iwae_core.evaluation.studies.claims import claim, evidence

CLAIM = "tightens"

entry = claim(CLAIM)
print(f"{entry.sentence} Verdict: {entry.verdict}.")
for finding in evidence(entry):
    error = f" +- {finding.std_error:.2g}" if finding.std_error is not None else ""
    spread = " ({:g} to {:g})".format(*finding.spread) if finding.spread else ""
    print(f"{finding.label} = {finding.value:.6g}{error}{spread} {finding.unit}".rstrip())
