"""Better proposals under the hand: dragged, and the numbers on screen checked."""

import hands
import numpy as np
import torch

from iwae_core.evaluation.studies import board, choices, rare, self_normalized, two_proposals
from iwae_core.evaluation.studies.board import BoardConfig
from iwae_core.evaluation.studies.rare import RareConfig
from iwae_core.evaluation.studies.self_normalized import RatioConfig
from iwae_core.evaluation.studies.two_proposals import TwoProposalsConfig
from iwae_core.rng import standard_normal, stream
from iwae_core.sampling import estimators, psis, resampling, weights
from iwae_core.view.numbers import digits, fixed, percent, with_error

NAME = "better_proposals"
N_STATES = 6  # of each part


def ask(draws, targets=tuple(choices.TARGETS)):
    """A target and a question that has an answer."""
    while True:
        target, f = str(draws.choice(targets)), str(draws.choice(list(choices.INTEGRANDS)))
        if choices.has_answer(target, f):
            return target, f


def test_the_ratio_prints_the_numbers_of_the_core_in_random_states(visit):
    draws = np.random.default_rng(1)
    page = visit().open(NAME)
    names = [name for name in choices.TARGETS if name != "unnormalized"]
    for _ in range(N_STATES):
        target, f = ask(draws, names)
        loc, scale = round(draws.uniform(-2, 3), 2), round(draws.uniform(0.5, 3), 2)
        K, seed, factor = (
            int(2 ** draws.integers(0, 9)),
            int(draws.integers(99)),
            draws.integers(2),
        )
        hands.turn(page, ratio_target=target, ratio_f=f, ratio_loc=loc, ratio_scale=scale,
                   ratio_K=K, seed=seed, factor=factor)  # fmt: skip
        config = RatioConfig(target=target, loc=loc, scale=scale, integrand=f, seed=seed)
        report, shown, i = self_normalized.run(config), hands.cards(page), int(np.log2(K))
        c = 3 if factor else 1
        assert shown["Spread, plain"].value == digits(c * np.sqrt(report.plain_variance[i]))
        assert shown["Spread, ratio"].value == digits(np.sqrt(report.variance[i]))
        assert shown["Bias, ratio"].value == digits(report.bias[i])
        assert shown["Bias, ratio"].note == (
            f"± {digits(report.bias_error[i], 2)}; leading {digits(report.leading_bias[i])}"
        )
        # The first run as it is drawn: the same K draws, weighted here by the core.
        p, asked = choices.TARGETS[target].made, choices.INTEGRANDS[f].made
        eps = standard_normal((2**16,), stream(seed, "ratio"), torch.float64)[:K]
        z = loc + scale * eps
        log_w = np.log(c) + p.log_prob(z) + 0.5 * eps**2 + np.log(scale * np.sqrt(2 * np.pi))
        values = page.locator(".lab-formula .value").all_inner_texts()
        plain = (log_w.exp() * asked(z)).mean().item()
        assert f"plain, run 1: {digits(plain)}" in values
        assert f"mean weight {digits(log_w.exp().mean().item())}" in values
        if torch.isfinite(log_w).any():
            ratio = estimators.self_normalized(asked(z), log_w).value.item()
            assert f"ratio, run 1: {digits(ratio)}" in values


def test_two_proposals_print_the_numbers_of_the_core_in_random_states(visit):
    draws = np.random.default_rng(2)
    page = visit().open(NAME)
    for i in range(N_STATES):
        target, f = ask(draws)
        config = TwoProposalsConfig(
            target=target, integrand=f, loc=round(draws.uniform(-3, 3), 2),
            scale=round(draws.uniform(0.4, 3), 2), loc2=round(draws.uniform(-3, 3), 2),
            scale2=round(draws.uniform(0.4, 3), 2), share=float(draws.choice([0.1, 0.35, 0.8])),
            n_samples=int(draws.choice([60, 300, 500])), seed=int(draws.integers(99)),
        )  # fmt: skip
        kind = two_proposals.WEIGHTINGS[i % 2]
        then = two_proposals.TREATMENTS[i % 3]
        hands.turn(page, part="mixtures", target=target, f=f, loc1=config.loc, scale1=config.scale,
                   loc2=config.loc2, scale2=config.scale2, share=config.share,
                   mix_K=config.n_samples, seed=config.seed, weights=kind, then=then)  # fmt: skip
        report, shown, K = two_proposals.run(config), hands.cards(page), config.n_samples
        log_w = torch.from_numpy(getattr(report, kind).log_w)
        values = choices.INTEGRANDS[f].made(torch.from_numpy(report.z))
        chosen = resampling.systematic(
            log_w, K, stream(config.seed, "two_proposals", "resampling")
        )
        estimate = {
            "raw": (log_w.exp() * values).mean(),
            "smoothed": estimators.pareto_smoothed(values, log_w).value,
            "resampled": values[chosen].mean(),
        }[then].item()
        assert shown["Estimate"] == (digits(estimate), f"exact {digits(report.exact)}")
        assert shown["Largest weight"].value == digits(log_w.exp().max().item())
        bound = getattr(report, kind).largest
        assert shown["Largest weight"].note == f"never above {digits(bound)}"
        assert shown["ESS"].value == digits(weights.ess(log_w).item())
        if then == "resampled":
            assert shown["ESS"].note.startswith(f"{len(chosen.unique())} different")
        assert shown["k-hat"].value == fixed(psis.k_hat(log_w).item())
        for name in two_proposals.WEIGHTINGS:
            assert shown[f"Error, {name}"].value == digits(getattr(report, name).true_std)


def test_the_rare_event_prints_the_numbers_of_the_core_in_random_states(visit):
    draws = np.random.default_rng(3)
    page = visit().open(NAME)
    for _ in range(N_STATES):
        a, shift = round(draws.uniform(0, 8), 2), round(draws.uniform(0, 10), 2)
        K, seed = int(draws.choice([10, 300, 2000])), int(draws.integers(99))
        hands.turn(page, part="rare", a=a, shift=shift, rare_K=K, seed=seed)
        config = RareConfig(threshold=a, shift=shift, n_samples=K, seed=seed)
        report, shown = rare.run(config), hands.cards(page)
        for label, way in (("p", report.naive), ("q", report.shifted)):
            card = shown[f"One draw of {label}"]
            assert card.value == digits(way.true_rmse * np.sqrt(K))
            assert card.note == f"10 % takes {digits(way.needed)} draws"
            card = shown[f"Error of K = {K}, {label}"]
            assert card == (digits(way.true_rmse, 2), f"200 repeats: {digits(way.rmse, 2)}")
        nothing = shown["Runs without event"]
        assert nothing.value == percent(report.naive.nothing)
        assert nothing.note == f"from p; found {percent(report.naive.found_nothing)}"
        assert digits(report.exact) in page.locator(".lab-formula .value").all_inner_texts()


def test_the_board_computes_in_a_worker_and_prints_what_the_core_finds(visit):
    page = visit().open(NAME)
    for target, loc, K, seed in [
        ("two_modes", -1.3, 40, 5),
        ("drawn.AAGz5_xABBCAAZZ", 0.4, 80, 6),
    ]:
        hands.turn(page, part="board", target=target, loc=loc, K=K, seed=seed)
        report = board.run(BoardConfig(target=target, loc=loc, scale=2.5, n_samples=K, seed=seed))
        rows = {row.key: row for row in report.rows}
        assert hands.cards(page)["Importance sampling"].value == digits(rows["importance"].rmse)
        table = page.locator("table").filter(has_text="Mean error")
        for row in report.rows:
            cells = table.locator("tr").filter(has_text=row.title).first.locator("td")
            texts = cells.all_inner_texts()
            assert texts[2] == with_error(row.rmse, row.rmse_error)
            std = "unknown" if row.true_std is None else digits(row.true_std)
            assert texts[4] == std


def test_what_is_dragged_moves_at_once_and_the_report_follows(visit):
    page = visit().open(NAME, "?part=mixtures&mixtures_answer=half")
    hands.ready(page)
    before = hands.cards(page)
    x, y = hands.take(page, "loc1")
    page.mouse.move(x + 40, y)
    during = hands.during(page)
    assert during["Estimate"] != before["Estimate"]
    assert during["Error, balance"].value == "…"
    page.mouse.up()
    hands.ready(page)
    assert hands.cards(page)["Error, balance"].value != "…"
    with hands.answered(page):
        page.get_by_role("button", name="Balance heuristic").click()
    with hands.answered(page):
        page.get_by_role("button", name="Resampling").click()
    assert hands.query(page)["weights"] == "balance"
    assert hands.query(page)["then"] == "resampled"


def test_the_rare_event_and_the_board_are_dragged(visit):
    page = visit().open(NAME, "?part=rare")
    hands.ready(page)
    hands.drag(page, "shift", -60)
    assert float(hands.query(page)["shift"]) < 4
    hands.drag(page, "a", -40)
    assert float(hands.query(page)["a"]) < 4
    error = hands.turn(page, part="board", K=40)["Importance sampling"].value
    hands.drag(page, "loc", -50)
    assert float(hands.query(page)["loc"]) < 1
    assert hands.cards(page)["Importance sampling"].value != error
