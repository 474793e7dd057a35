"""One update of a model: draws, surrogate, gradient, Adam - all parameters as one flat tensor."""

import torch
from torch import Tensor, nn

from iwae_core.bounds.backward import resampled, truncated
from iwae_core.bounds.objectives import make_objective
from iwae_core.bounds.rate import make_estimator
from iwae_core.bounds.surrogates import Weighted
from iwae_core.models.model import LatentModel
from iwae_core.sampling.draws import Draws
from iwae_core.training.config import TrainConfig


def lay_flat(model: nn.Module, flat: Tensor) -> None:
    """Make every parameter a view into ``flat``, in the model's order.

    One flat tensor makes a state three arrays, whatever the model.

    Raises:
        ValueError: If ``flat`` does not hold exactly the model's parameters.
    """
    parameters = list(model.parameters())
    expected = sum(parameter.numel() for parameter in parameters)
    if flat.shape != (expected,):
        raise ValueError(
            f"the model has {expected} parameters, got {tuple(flat.shape)}: "
            "they belong to another configuration"
        )
    for parameter, part in zip(
        parameters, flat.split([parameter.numel() for parameter in parameters]), strict=True
    ):
        parameter.data = part.view_as(parameter)


class Stepper:
    """A model and its optimizer, which one call of :meth:`step` moves on.

    Args:
        config: Objective, estimator, K, beta and Adam's settings.
        model: The network; its parameters become views into ``flat``.
        flat: All parameters, shape ``(P,)``, on the model's device; written to by each step.
        moments: Adam's two running means, each of shape ``(P,)``; written to by each step.
        n_taken: Updates that the moments stem from.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: LatentModel,
        flat: Tensor,
        moments: tuple[Tensor, Tensor],
        n_taken: int,
    ) -> None:
        self.config = config
        self.model = model
        self.flat = flat
        self.moments = moments
        self._parameters = tuple(model.parameters())
        self._objective = make_objective(config.objective, config.objective_setting)
        self._estimator = make_estimator(
            config.estimator, free_bits=config.free_bits, target_rate=config.target_rate
        )
        lay_flat(model, flat)
        sizes = [parameter.numel() for parameter in self._parameters]
        self._parts = [list(whole.split(sizes)) for whole in (flat, *moments)]
        self._n_taken = torch.tensor(float(n_taken), dtype=torch.float32, device=flat.device)

    def step(
        self,
        x: Tensor,
        noise: torch.Generator,
        *,
        kl_weight: float = 1.0,
        rate_factor: float = 1.0,
    ) -> Tensor:
        """Take one step.

        Args:
            x: Batch, shape ``(B, D)``.
            noise: Source of the samples, on the model's device.
            kl_weight: Factor of ``beta`` in this step.
            rate_factor: Factor of the learning rate in this step.

        Returns:
            Log weights of the batch, shape ``(K, B)`` in nats.
        """
        draws = self.model.draws(x, self.config.n_samples, noise)
        surrogate, log_w = self._surrogate(draws, self.config.beta * kl_weight, noise)
        gradients = torch.autograd.grad(surrogate, self._parameters)
        self._climb(gradients, self.config.learning_rate * rate_factor)
        return log_w

    def _surrogate(
        self, draws: Draws, beta: float, noise: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        config, estimator = self.config, self._estimator
        if config.backward == "exact" or not isinstance(estimator, Weighted):
            return estimator(draws, self._objective, beta)
        if config.backward == "truncated":
            return truncated(
                estimator, draws, self._objective, beta, epsilon=config.backward_epsilon
            )
        return resampled(
            estimator,
            draws,
            self._objective,
            beta,
            n_picks=config.backward_picks,
            generator=noise,
        )

    @torch.no_grad()
    def _climb(self, gradients: tuple[Tensor, ...], learning_rate: float) -> None:
        # The kernel of torch.optim.Adam(fused=True), on each gradient where it lies. Of the 6 ms
        # of a step at K = 1, the class around it costs 0.2, and joining the gradients first 0.4.
        values, first, second = self._parts
        self._n_taken += 1
        torch._fused_adam_(
            values,
            [gradient.flatten() for gradient in gradients],
            first,
            second,
            [],
            [self._n_taken] * len(values),
            lr=learning_rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=self.config.adam_eps,
            amsgrad=False,
            maximize=True,
        )
