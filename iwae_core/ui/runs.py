"""Training runs on a page: kept in step with the controls, and named."""

from collections.abc import Callable

from iwae_core.bounds.objectives import OBJECTIVES
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.twin_slices import live_changes, shape
from iwae_core.training import TrainConfig
from iwae_core.ui.desk import Desk


def watch(
    desk: Desk[LiveRun], config: TrainConfig | None, begin: Callable[[TrainConfig], LiveRun]
) -> LiveRun | None:
    """The session's run, brought to these settings.

    Live fields change the run while it goes on; any other field begins another run.

    Args:
        desk: Where the run is shown.
        config: What the controls ask for; None leaves the run that there is as it is.
        begin: How another run is begun.

    Returns:
        The run, or None after saying on the page why there can be none.
    """
    if config is None:
        return desk.live()
    run = desk.bring(lambda live: shape(live.config) == shape(config), lambda: begin(config))
    if run is not None and (changes := live_changes(run.config, config)):
        run.change(**changes)
    return run


def objective_title(config: TrainConfig) -> str:
    """Name of the trained objective, with its K."""
    return f"{OBJECTIVES[config.objective].title}, K = {config.n_samples}"
