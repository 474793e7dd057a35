"""Values far outside what public functions accept, for test_bad_input."""

import math

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from iwae_core import rng
from iwae_core.sampling import densities
from iwae_core.sampling.integrands import Exceeds, Power, Tilt

D, LATENT = 3, 2
# Not st.floats: it refuses to work in a thread where training has turned denormals off.
tame = st.integers(-48, 48).map(lambda sixteenths: sixteenths / 16)
numbers = st.one_of(
    tame,
    st.sampled_from([0.0, 1.0, math.nan, math.inf, -math.inf, 1e30, -1e30, -800.0]),
)


def tensors(elements=numbers, shapes=None):
    if shapes is None:
        shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    arrays = hnp.arrays(np.float64, shapes, elements=elements)
    return st.builds(
        as_tensor, arrays, st.sampled_from([torch.float64, torch.float32, torch.int64])
    )


def as_tensor(values, dtype):
    if dtype == torch.int64:
        values = np.nan_to_num(values, posinf=0, neginf=0).clip(-9, 9)
    return torch.from_numpy(np.asarray(values)).to(dtype)


def shaped(*shapes, elements=numbers):
    """Mostly of a right shape, so that the values are what is judged; else of any."""
    return st.one_of([tensors(elements, st.just(shape)) for shape in shapes] + [tensors(elements)])


log_w = shaped((4,), (30,), (4, 2))
f = shaped((4,), (30,), (4, 2))
x = shaped((2, D), (1, D), (2, D))
finite_x = shaped((2, D), (1, D), elements=tame)
finite_z = shaped((4, 2, LATENT), (5, 1, LATENT), (4, 2, LATENT + 1), elements=tame)
counts = st.sampled_from([-1, 0, 1, 2, 5, 1.5, math.nan, True])
settings_ = st.one_of(numbers, st.sampled_from([-1, 0, 1, 2, 0.5]))
names = st.one_of(st.text(max_size=8), st.sampled_from(["iwea", "dgits", "elbo", "IWAE", "good"]))
generators = st.integers(0, 3).map(rng.make_generator)
shapes = st.lists(st.sampled_from([-1, 0, 1, 3]), max_size=2).map(tuple)

lines = st.sampled_from(
    [
        densities.Normal(0.0, 1.0),
        densities.Normal(2.0, 0.3),
        densities.Uniform(0.0, 1.0),
        densities.StudentT(0.0, 1.0, 2.5),
        densities.Exponential(1.0),
        densities.Laplace(0.0, 1.0),
        densities.Scaled(densities.Normal(0.0, 1.0), 2.0),
    ]
)

planes = st.sampled_from(
    [
        densities.Gaussian((0.0, 1.0), ((1.0, 0.3), (0.3, 2.0))),
        densities.Banana(),
        densities.Funnel(),
    ]
)
vectors = shaped((4, 2), (3, 4, 2))

integrands = st.sampled_from([Power(0), Power(1), Power(3), Exceeds(2.0), Tilt(0.5), Tilt(-3.0)])
