"""Figure of the two smallest scripts: what each climbs, and where each ends on one ruler."""

import plotly.graph_objects as go

from iwae_core.evaluation.studies.side_by_side import ScriptReport, SideBySideReport
from iwae_core.view import theme


def training(report: SideBySideReport) -> go.Figure:
    """Both objectives on the training batches against the step, and L_64 on held-out digits."""
    figure = theme.figure(xaxis_title="step", yaxis_title="nats")
    K = report.config.n_samples
    _add(figure, report.vae, "VAE", "ELBO", theme.PROPOSAL)
    _add(figure, report.iwae, "IWAE", f"L<sub>{K}</sub>", theme.BOUND)
    both = (*report.vae.bound, *report.iwae.bound)
    ends = (report.vae.L_64, report.iwae.L_64)
    floor = sorted(both)[len(both) // 10]  # the first steps climb from far below
    room = 0.06 * (max(*both, *ends) - floor)
    figure.update_yaxes(range=[floor - room, max(*both, *ends) + room])
    return figure


def _add(figure: go.Figure, script: ScriptReport, name: str, bound: str, role: theme.Role) -> None:
    figure.add_scatter(
        x=script.steps,
        y=script.bound,
        mode="lines",
        line=theme.line(role, 2),
        name=f"{name}: {bound}, training batches",
    )
    figure.add_scatter(
        x=script.steps[-1:],
        y=[script.L_64],
        mode="markers",
        marker=theme.marker(role, 13) | {"line": {"width": 2, "color": role.light}},
        name=f"{name}: L<sub>64</sub>, held out",
    )
