"""The draws that a browser moves are those of the study."""

import numpy as np
import pytest

from iwae_core.evaluation.studies.choices import FAMILIES
from iwae_core.evaluation.studies.transport import DF_STOPS, moved, noise
from iwae_core.evaluation.studies.weighting import WeightingConfig, run


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("loc", "scale", "df"), [(-1.3, 0.4, 2.0), (2.0, 3.1, 6.5)])
def test_moved_noise_is_what_the_study_draws(family, loc, scale, df):
    config = WeightingConfig(family=family, loc=loc, scale=scale, df=df, n_samples=50, seed=4)
    given = noise(family, 50, 4, df)
    found = moved(given, family, loc, scale, df)
    np.testing.assert_allclose(found, run(config).z, rtol=0, atol=1e-12)


def test_a_student_t_brings_every_stop_of_the_tail_handle():
    given = noise("student_t", 7, 1, 2.5)
    assert set(given.df) == {*DF_STOPS, 2.5}
    assert given.x.shape == (len(DF_STOPS) + 2, 7)  # and the normal's


def test_only_the_wide_part_of_a_defensive_mixture_stays():
    given = noise("defensive", 4000, 1, 3.0)
    # A fifth of the draws; sd of the share is sqrt(0.16 / 4000) = 0.0063, five of them 0.032.
    assert abs(np.isfinite(given.fixed).mean() - 0.2) < 0.032
    assert np.isnan(noise("normal", 10, 1, 3.0).fixed).all()


def test_unknown_families_and_no_draws_are_refused():
    with pytest.raises(ValueError, match="family"):
        noise("norml", 4, 1, 3.0)
    with pytest.raises(ValueError, match="at least 1"):
        noise("normal", 0, 1, 3.0)
