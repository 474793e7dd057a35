r"""Every term and symbol of the project: one sentence, a formula, and the page that shows it."""

import re
from dataclasses import dataclass

# Pages by the name that stands in their address; those not yet written keep their name free.
PAGES = (
    *("home", "borrowed_samples", "when_weights_fail", "better_proposals"),
    *("elbo_to_iwae", "posterior_used", "gradients"),
    *("train", "twins", "weight_xray", "train_k_test_k"),
    *("collapse_predicted", "collapse_diagnosed", "how_good"),
    *("claims", "side_by_side", "glossary", "teachers_room", "about"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One entry.

    Attributes:
        name: The term, as prose writes it.
        symbol: Its symbol in LaTeX, or "".
        meaning: One sentence.
        formula: A formula in LaTeX, or "" where there is none to give.
        page: Where it can be seen, a name from PAGES.
    """

    name: str
    symbol: str
    meaning: str
    formula: str
    page: str

    @property
    def anchor(self) -> str:
        """Name of the entry in an address: small letters, digits and hyphens."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def _term(name: str, symbol: str, meaning: str, formula: str, page: str) -> Term:
    return Term(name=name, symbol=symbol, meaning=meaning, formula=formula, page=page)


_MODEL = (
    _term(
        "Data",
        "x",
        "What is observed: one datapoint of D numbers, such as the pixels of a digit.",
        r"x \in \mathbb R^D",
        "train",
    ),
    _term(
        "Latent variable",
        "z",
        "What is not observed and has to be inferred: d numbers that a datapoint is made from.",
        r"z \in \mathbb R^d",
        "train",
    ),
    _term(
        "Prior",
        "p(z)",
        "The distribution of the latents before any data are seen; here a standard normal.",
        r"p(z) = \mathcal N(z; 0, I)",
        "train",
    ),
    _term(
        "Likelihood",
        r"p_\theta(x \mid z)",
        "How probable the data are given the latents, as the decoder says.",
        r"p_\theta(x \mid z)",
        "train",
    ),
    _term(
        "Decoder",
        r"\theta",
        "The network from latents to data, and its parameters.",
        r"z \mapsto p_\theta(x \mid z)",
        "gradients",
    ),
    _term(
        "Encoder",
        r"\phi",
        "The network from data to an approximate posterior over latents, and its parameters.",
        r"x \mapsto q_\phi(z \mid x)",
        "gradients",
    ),
    _term(
        "Posterior",
        r"p(z \mid x)",
        "The exact distribution of the latents given the data.",
        r"p(z \mid x) = \frac{p(x, z)}{p(x)}",
        "posterior_used",
    ),
    _term(
        "Marginal likelihood",
        r"\log p(x)",
        "How probable the data are under the whole model, with the latents integrated out; also "
        "called evidence.",
        r"\log p(x) = \log \int p(x \mid z)\, p(z)\, dz",
        "elbo_to_iwae",
    ),
    _term(
        "Variational autoencoder",
        r"\text{VAE}",
        "A decoder and an encoder trained together on the ELBO, usually with one sample and a KL "
        "in closed form.",
        r"\max_{\theta, \phi} \mathbb E_q[\log p_\theta(x \mid z)] - "
        r"\mathrm{KL}(q_\phi \,\|\, p)",
        "side_by_side",
    ),
    _term(
        "Importance-weighted autoencoder",
        r"\text{IWAE}",
        "The same two networks trained on the log of the mean of K importance weights.",
        r"\max_{\theta, \phi} \mathbb E\Big[\log \frac1K \sum_{k=1}^K w_k\Big]",
        "side_by_side",
    ),
    _term(
        "Reparameterization",
        r"\epsilon",
        "Drawing from q by moving fixed noise, so that a draw has a derivative with respect to "
        "q's parameters.",
        r"z = \mu_\phi(x) + \sigma_\phi(x)\, \epsilon, \quad \epsilon \sim \mathcal N(0, I)",
        "borrowed_samples",
    ),
)

_WEIGHTS = (
    _term(
        "Target",
        "p",
        "The distribution a question is about; it may be known up to a factor only.",
        r"p(z) = \tilde p(z) / Z",
        "borrowed_samples",
    ),
    _term(
        "Proposal",
        "q",
        "The distribution samples are really drawn from; in an autoencoder, the encoder.",
        r"z_k \sim q(z \mid x)",
        "borrowed_samples",
    ),
    _term(
        "Importance weight",
        "w_k",
        "How much a draw from q counts so that the draws stand for p.",
        r"w_k = \frac{p(x, z_k)}{q(z_k \mid x)}",
        "borrowed_samples",
    ),
    _term(
        "Number of samples",
        "K",
        "How many draws from q one datapoint gets.",
        r"z_1, \dots, z_K \sim q(z \mid x)",
        "elbo_to_iwae",
    ),
    _term(
        "Log weight",
        r"\log w_k",
        "The logarithm of an importance weight, in nats; all bounds here are functions of these.",
        r"\log w_k = \log p(x, z_k) - \log q(z_k \mid x)",
        "elbo_to_iwae",
    ),
    _term(
        "Normalized weight",
        r"\bar w_k",
        "A draw's share of the total weight; the K shares sum to one.",
        r"\bar w_k = \frac{w_k}{\sum_j w_j}",
        "gradients",
    ),
    _term(
        "Importance sampling",
        "",
        "Answering a question about p with weighted draws from q; unbiased if q covers p.",
        r"\mathbb E_p[f] = \mathbb E_q\Big[\frac{p(z)}{q(z)} f(z)\Big]",
        "borrowed_samples",
    ),
    _term(
        "Self-normalized estimate",
        "",
        "Importance sampling with normalized weights: needs no normalizer of p, and pays with a "
        "bias of order 1/K.",
        r"\sum_k \bar w_k f(z_k)",
        "better_proposals",
    ),
    _term(
        "Effective sample size",
        r"\text{ESS}",
        "How many equally weighted draws the weighted ones are worth, between 1 and K.",
        r"\mathrm{ESS} = \frac{(\sum_k w_k)^2}{\sum_k w_k^2}",
        "borrowed_samples",
    ),
    _term(
        "Perplexity of the weights",
        "",
        "The exponential of the normalized weights' entropy: another count of the draws that "
        "matter, never below the ESS.",
        r"\exp\Big(-\sum_k \bar w_k \log \bar w_k\Big)",
        "weight_xray",
    ),
    _term(
        "Tail index",
        r"\hat k",
        "How heavy the right tail of the weights is: from 0.5 on their variance is infinite, and "
        "above 0.7 the estimate is not to be trusted.",
        r"P(w > t) \sim t^{-1/k}",
        "when_weights_fail",
    ),
    _term(
        "Chi-square divergence",
        r"\chi^2",
        "The relative variance of the weights; it decides the error of importance sampling.",
        r"\chi^2(p \,\|\, q) = \frac{\mathbb E_q[w^2]}{\mathbb E_q[w]^2} - 1",
        "when_weights_fail",
    ),
    _term(
        "Defensive mixture",
        "",
        "A proposal mixed with a wide one, so that no weight can become very large.",
        r"q_\alpha = (1 - \alpha)\, q + \alpha\, q_{\text{wide}}",
        "better_proposals",
    ),
    _term(
        "Multiple importance sampling",
        "",
        "Draws from several proposals, each weighed against their mixture (balance heuristic).",
        r"w(z) = \frac{p(z)}{\sum_i \pi_i q_i(z)}",
        "better_proposals",
    ),
    _term(
        "Pareto smoothing",
        r"\text{PSIS}",
        "Replacing the largest weights by quantiles of a fitted generalized Pareto tail.",
        r"w_{(k)} \leftarrow F^{-1}_{\text{GPD}}\big((k - \tfrac12) / M\big)",
        "better_proposals",
    ),
    _term(
        "Resampling",
        r"\text{SIR}",
        "Copying draws in proportion to their weights, so that plain averages may be taken again.",
        r"P(\text{copy of } z_k) = \bar w_k",
        "posterior_used",
    ),
)

_BOUNDS = (
    _term(
        "Evidence lower bound",
        r"\text{ELBO}",
        "The mean log weight: below log p(x) by exactly the KL from q to the posterior.",
        r"\mathrm{ELBO} = \mathbb E_q[\log w] = \log p(x) - \mathrm{KL}(q \,\|\, p(z \mid x))",
        "elbo_to_iwae",
    ),
    _term(
        "Importance-weighted bound",
        r"\mathcal L_K",
        "The expected log of the mean of K weights: the ELBO at K = 1, climbing towards log p(x).",
        r"\mathcal L_K = \mathbb E\Big[\log \frac1K \sum_{k=1}^K w_k\Big]",
        "elbo_to_iwae",
    ),
    _term(
        "Jensen's inequality",
        "",
        "The log of a mean is at least the mean of the logs, since the log is concave.",
        r"\log \mathbb E[w] \ge \mathbb E[\log w]",
        "elbo_to_iwae",
    ),
    _term(
        "Kullback-Leibler divergence",
        r"\mathrm{KL}",
        "How far one distribution is from another, in nats; zero only if they are equal, and not "
        "symmetric.",
        r"\mathrm{KL}(q \,\|\, p) = \mathbb E_q\Big[\log \frac{q}{p}\Big]",
        "posterior_used",
    ),
    _term(
        "Gap",
        "",
        "How far a bound lies below log p(x); for many samples about the variance of the weights "
        "over 2K.",
        r"\log p(x) - \mathcal L_K \approx \frac{\operatorname{Var}(w)}{2 K\, p(x)^2}",
        "elbo_to_iwae",
    ),
    _term(
        "Upper bound",
        "",
        "The same mean of weights with one draw from the exact posterior among them lies above "
        "log p(x) on average.",
        r"\mathbb E\Big[\log \frac1K \Big(w(z_1) + \sum_{k=2}^K w_k\Big)\Big] \ge \log p(x), "
        r"\quad z_1 \sim p(z \mid x)",
        "elbo_to_iwae",
    ),
    _term(
        "Jackknife",
        "",
        "A combination of the bounds on subsets of the samples in which the leading errors "
        "cancel; no bound any more.",
        r"K \mathcal L_K - (K - 1)\, \bar{\mathcal L}_{K-1}",
        "elbo_to_iwae",
    ),
    _term(
        "Renyi bound",
        r"\alpha",
        "A family of bounds between and beyond: alpha = 1 is the ELBO, alpha = 0 the "
        "importance-weighted bound.",
        r"\frac{1}{1 - \alpha} \log \frac1K \sum_k w_k^{1 - \alpha}",
        "elbo_to_iwae",
    ),
    _term(
        "CIWAE",
        r"\beta",
        "A mix of the ELBO and the importance-weighted bound.",
        r"\beta\, \mathrm{ELBO} + (1 - \beta)\, \mathcal L_K",
        "train",
    ),
    _term(
        "MIWAE",
        "M",
        "The mean of M importance-weighted bounds on K / M samples each.",
        r"\frac1M \sum_{m=1}^M \log \frac{M}{K} \sum_{k \in G_m} w_k",
        "train",
    ),
    _term(
        "SUMO",
        "",
        "An unbiased estimate of log p(x) by a random number of terms; its variance may be "
        "infinite.",
        r"\mathcal L_1 + \sum_{k=1}^{J} \frac{\Delta_k}{P(J \ge k)}",
        "how_good",
    ),
    _term(
        "Implicit posterior",
        "q_K",
        "The distribution of one draw picked from K by weight: the posterior that the bound "
        "really uses.",
        r"q_K(z) = \mathbb E\Big[\frac{p(x, z)}{\frac1K (w(z) + \sum_{k \ge 2} w_k)}\Big]",
        "posterior_used",
    ),
)

_GRADIENTS = (
    _term(
        "Signal-to-noise ratio",
        r"\text{SNR}",
        "The size of a gradient's mean over the spread of its estimates.",
        r"\mathrm{SNR} = \frac{|\mathbb E[\Delta]|}{\sigma[\Delta]}",
        "gradients",
    ),
    _term(
        "Score function",
        "",
        "The derivative of log q with respect to q's parameters, at a fixed draw; its mean is "
        "zero.",
        r"\nabla_\phi \log q_\phi(z \mid x)",
        "gradients",
    ),
    _term(
        "Sticking the landing",
        r"\text{STL}",
        "A gradient without the score of q: no noise where q is the exact posterior, biased for "
        "K > 1.",
        r"\sum_k \bar w_k \frac{\partial \log w_k}{\partial z_k} "
        r"\frac{\partial z_k}{\partial \phi}",
        "gradients",
    ),
    _term(
        "Doubly reparameterized gradient",
        r"\text{DReG}",
        "An unbiased encoder gradient of the importance-weighted bound whose signal grows with K.",
        r"\sum_k \bar w_k^2 \frac{\partial \log w_k}{\partial z_k} "
        r"\frac{\partial z_k}{\partial \phi}",
        "gradients",
    ),
    _term(
        "Reweighted wake-sleep",
        r"\text{RWS}",
        "The encoder follows the weighted samples instead of climbing the bound.",
        r"\sum_k \bar w_k \nabla_\phi \log q_\phi(z_k \mid x)",
        "gradients",
    ),
    _term(
        "PIWAE",
        "",
        "The decoder climbs the bound on all samples, the encoder a looser one with a clearer "
        "gradient.",
        r"\theta: \mathcal L_K, \quad \phi: \text{MIWAE}(M)",
        "train",
    ),
    _term(
        "Truncated backward",
        r"\varepsilon",
        "A backward pass through the heaviest samples alone, those that hold all but epsilon of "
        "the weight.",
        r"\sum_{k \in S} \bar w_k \nabla \log w_k, \quad \sum_{k \in S} \bar w_k \ge 1 - "
        r"\varepsilon",
        "gradients",
    ),
)

_JUDGING = (
    _term(
        "Active unit",
        r"A_i",
        "A latent whose posterior mean changes with the data.",
        r"\operatorname{Var}_x\big(\mathbb E_q[z_i \mid x]\big) > 0.01",
        "collapse_diagnosed",
    ),
    _term(
        "Posterior collapse",
        "",
        "For one latent the encoder returns the prior whatever the data: it carries nothing.",
        r"\mathrm{KL}(q(z_i \mid x) \,\|\, p(z_i)) < \epsilon \text{ for nearly all } x",
        "collapse_diagnosed",
    ),
    _term(
        "Mutual information",
        "I(x; z)",
        "How much a latent says about which datapoint it came from; an estimate from N datapoints "
        "cannot exceed log N.",
        r"I = \mathbb E_x \mathrm{KL}(q(z \mid x) \,\|\, p) - \mathrm{KL}(q(z) \,\|\, p)",
        "collapse_diagnosed",
    ),
    _term(
        "Linear VAE",
        "",
        "A VAE with linear networks: its optimum, and which latents collapse, is known from the "
        "eigenvalues of the data.",
        r"\lambda_i \le \sigma^2 \Rightarrow \text{latent } i \text{ collapses}",
        "collapse_predicted",
    ),
    _term(
        "Free bits",
        r"\lambda",
        "A part of each latent's KL that is not charged, so that it is not worth zero.",
        r"\sum_i \max(\lambda, \mathrm{KL}_i)",
        "collapse_diagnosed",
    ),
    _term(
        "KL warm-up",
        r"\beta_t",
        "Charging the KL little at first and fully later.",
        r"\mathbb E_q[\log p(x \mid z)] - \beta_t\, \mathrm{KL}, \quad \beta_t \uparrow 1",
        "collapse_diagnosed",
    ),
    _term(
        "Negative log-likelihood",
        r"\text{NLL}",
        "The usual figure for a generative model, estimated by the bound with many samples.",
        r"\mathrm{NLL} \approx -\mathcal L_{5000}",
        "how_good",
    ),
    _term(
        "Annealed importance sampling",
        r"\text{AIS}",
        "Importance sampling along a path of distributions from the prior to the posterior.",
        r"p_t(z) \propto p(z)^{1 - \beta_t}\, p(x, z)^{\beta_t}",
        "how_good",
    ),
    _term(
        "Nat",
        "",
        "The unit of all logarithmic quantities here: natural logarithm, 1 nat is 1.44 bits.",
        r"1 \text{ nat} = \log_2 e \text{ bits}",
        "elbo_to_iwae",
    ),
    _term(
        "Dynamic binarization",
        "",
        "Drawing binary pixels from gray values anew at every access.",
        r"x_i = \mathbf 1[u_i \le p_i], \quad u_i \sim \mathrm{Uniform}(0, 1)",
        "train",
    ),
)

GLOSSARY: tuple[Term, ...] = (*_MODEL, *_WEIGHTS, *_BOUNDS, *_GRADIENTS, *_JUDGING)


def term(name: str) -> Term:
    """The entry of that name, whatever its capitals.

    Raises:
        ValueError: If there is none.

    >>> term("effective sample size").anchor
    'effective-sample-size'
    """
    for entry in GLOSSARY:
        if entry.name.lower() == name.lower():
            return entry
    raise ValueError(f"the glossary has no {name!r}")
