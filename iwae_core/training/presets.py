"""Published recipes as configurations."""

import math

from iwae_core.training.config import TrainConfig
from iwae_core.training.schedule import BURDA_EPOCHS


def burda_config(
    n_layers: int,
    n_samples: int,
    objective: str = "iwae",
    *,
    dataset: str = "mnist",
    data_folder: str | None = None,
    stretch: float = 1.0,
    seed: int,
    device: str = "cpu",
) -> TrainConfig:
    """One row of Burda et al.'s table: their nets, batches and staged learning rate.

    One layer is 784-200-200-50, two are 784-200-200-100-100-100-50, all tanh. The paper's recipe,
    not its code's: the released code also changes Adam's moments.

    Args:
        n_layers: Stochastic layers, 1 or 2.
        n_samples: K; the table has 1, 5 and 50.
        objective: ``"elbo"`` for the VAE column, ``"iwae"`` for the IWAE column.
        dataset: A binary data set; theirs redraw the bits at every access.
        data_folder: Where its files lie; None asks the environment.
        stretch: Length of the schedule as a multiple of 3,280 epochs; see :func:`burda_epochs`.
        seed: Of the run.
        device: ``"cpu"``, ``"cuda"``, ``"mps"`` or ``"auto"``.

    Raises:
        ValueError: If ``n_layers`` is not 1 or 2, or a setting is refused.

    Reference:
        Burda, Grosse and Salakhutdinov (2016), arXiv:1509.00519, section 5.
    """
    if n_layers not in (1, 2):
        raise ValueError(f"n_layers must be 1 or 2, the two nets of the paper, got {n_layers}")
    return TrainConfig(
        dataset=dataset,
        data_folder=data_folder,
        objective=objective,
        n_samples=n_samples,
        latent_dim=50 if n_layers == 1 else 100,
        second_latent_dim=None if n_layers == 1 else 50,
        hidden=(200, 200),
        second_hidden=(100, 100),
        activation="tanh",
        learning_rate=1e-3,
        rate_schedule="burda",
        rate_stretch=stretch,
        adam_eps=1e-4,
        batch_size=20,
        seed=seed,
        device=device,
    )


def burda_epochs(stretch: float = 1.0) -> int:
    """Epochs of the whole schedule, rounded up; 3,280 unstretched.

    Raises:
        ValueError: If ``stretch`` is not positive and finite.
    """
    if not 0 < stretch < math.inf:
        raise ValueError(f"stretch must be positive and finite, got {stretch}")
    return math.ceil(BURDA_EPOCHS * stretch)
