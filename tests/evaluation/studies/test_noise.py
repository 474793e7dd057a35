"""Fast noise: its laws, and that a seed and a path decide it."""

import torch
from scipy import stats

from iwae_core.evaluation.studies.noise import NormalNoise


def test_noise_follows_its_law():
    # Kolmogorov-Smirnov on 20,000 numbers: false alarm 1e-7, finds a CDF off by 0.03 surely.
    noise = NormalNoise(3, "law")
    assert stats.kstest(noise((200, 100)).flatten().numpy(), "norm").pvalue > 1e-7
    t = noise.student_t(3.0, (20_000,)).numpy()
    assert stats.kstest(t, stats.t(3.0).cdf).pvalue > 1e-7
    assert noise((1,)).dtype == torch.float64


def test_a_seed_and_a_path_decide_it_and_calls_go_on():
    first, again = NormalNoise(1, "a"), NormalNoise(1, "a")
    whole = first((6,))
    assert torch.equal(whole, torch.cat([again((2,)), again((4,))]))
    assert not torch.equal(whole, NormalNoise(1, "b")((6,)))
    assert not torch.equal(whole, NormalNoise(2, "a")((6,)))
