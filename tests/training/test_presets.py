"""The published recipes, number by number."""

import pytest
from torch import nn

from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae
from iwae_core.training.presets import burda_config, burda_epochs
from iwae_core.training.state import build_model


def widths(network):
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    return [layers[0].in_features, *(layer.out_features for layer in layers)]


def test_burdas_nets_have_the_published_widths():
    # The digits have 64 pixels where MNIST has 784. An encoder's last layer gives mean and scale.
    one = build_model(burda_config(1, 5, dataset="digits", seed=0), generator=None)
    assert type(one) is Vae
    assert widths(one.encoder) == [64, 200, 200, 2 * 50]
    assert widths(one.decoder) == [50, 200, 200]
    two = build_model(burda_config(2, 50, dataset="digits", seed=0), generator=None)
    assert type(two) is TwoLayerVae
    assert widths(two.encoder) == [64, 200, 200, 2 * 100]
    assert widths(two.second_encoder) == [100, 100, 100, 2 * 50]
    assert widths(two.second_decoder) == [50, 100, 100, 2 * 100]
    assert widths(two.decoder) == [100, 200, 200]


def test_the_recipe_is_the_papers():
    config = burda_config(1, 50, "elbo", seed=3)
    assert (config.batch_size, config.adam_eps, config.learning_rate) == (20, 1e-4, 1e-3)
    assert (config.objective, config.n_samples, config.rate_schedule) == ("elbo", 50, "burda")
    assert (config.dataset, config.beta, config.seed) == ("mnist", 1.0, 3)


@pytest.mark.parametrize(("stretch", "epochs"), [(1.0, 3280), (0.01, 33), (0.5, 1640), (1e-4, 1)])
def test_the_schedule_lasts_as_long_as_it_is_stretched(stretch, epochs):
    assert burda_epochs(stretch) == epochs


def test_a_third_layer_is_refused():
    with pytest.raises(ValueError, match="n_layers must be 1 or 2, the two nets"):
        burda_config(3, 5, seed=0)
