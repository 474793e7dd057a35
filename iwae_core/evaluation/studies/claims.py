"""The ledger of "Claims, tested": what is usually said, what is so, and how it was seen.

Each claim has a verdict, the nuance with its source, a function that gives the numbers, and the
page and settings that open the experiment.
"""

from dataclasses import dataclass

from iwae_core.evaluation.studies.evidence import EVIDENCE
from iwae_core.evaluation.studies.finding import Finding
from iwae_core.evaluation.studies.glossary import Place
from iwae_core.names import check_known

HOLDS, CONDITION, NOT_IN_GENERAL = VERDICTS = (
    "holds",
    "holds with a condition",
    "not in general",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One usual sentence, judged.

    Attributes:
        name: A key of EVIDENCE, and the anchor on the page.
        sentence: As it is usually said.
        verdict: One of VERDICTS.
        nuance: What the sentence leaves out.
        source: Where that is shown.
        places: The experiments, each with the settings in which it shows what is claimed.
    """

    name: str
    sentence: str
    verdict: str
    nuance: str
    source: str
    places: tuple[Place, ...]

    def __post_init__(self) -> None:
        check_known(self.name, EVIDENCE, "evidence")
        check_known(self.verdict, VERDICTS, "verdict")


def _at(page: str, shows: str = "", /, **query: str) -> Place:
    return Place(page=page, query=tuple(query.items()), shows=shows)


CLAIMS = (
    Claim(
        name="weights_correct",
        sentence="Importance weights correct samples from q so that they stand for p.",
        verdict=CONDITION,
        nuance="Unbiased if q is positive wherever p times the integrand is not zero. The error "
        "is finite only if q's tails are heavy enough; with too light tails the estimate looks "
        "calm and is wrong until a rare, huge weight arrives.",
        source="Owen (2013), Monte Carlo theory, methods and examples, chapter 9; Vehtari et al. "
        "(2024), Pareto smoothed importance sampling, JMLR 25(72)",
        places=(_at("borrowed_samples", seed="2"),),
    ),
    Claim(
        name="hard_to_sample",
        sentence="Importance sampling helps when p is hard to sample from.",
        verdict=CONDITION,
        nuance="It needs p's density (up to a factor) and a q near p. About exp(KL(p || q)) draws "
        "are needed, and a small mismatch in each coordinate multiplies: the share of draws "
        "that count falls exponentially with the dimension.",
        source="Chatterjee and Diaconis (2018), The sample size required in importance sampling, "
        "Annals of Applied Probability 28(2)",
        places=(
            _at("when_weights_fail", "100 dimensions", part="lift", d="100"),
            _at("when_weights_fail", "how many draws it takes", part="how_many"),
        ),
    ),
    Claim(
        name="no_weights_in_the_vae",
        sentence="A standard VAE uses no importance sampling: one sample, a KL in closed form.",
        verdict=HOLDS,
        nuance="With one sample the normalized weight is one, whatever the weight: it cancels. "
        "With more samples the ELBO still gives each the share 1/K. The logarithm of the weight "
        "does appear, when the KL is estimated rather than computed, but never as a weight.",
        source="Kingma and Welling (2014), arXiv:1312.6114, section 2.3; Burda et al. (2016), "
        "arXiv:1509.00519, section 3",
        places=(_at("gradients", samples="1"),),
    ),
    Claim(
        name="inside_the_log",
        sentence="The IWAE averages K importance weights inside the logarithm.",
        verdict=HOLDS,
        nuance="The logarithm of the average, not the average of the logarithms. What is reported "
        "should be this number: the weighted mean of the log weights, sometimes logged in its "
        "place, is larger by up to log K.",
        source="Burda et al. (2016), arXiv:1509.00519, equation 8",
        places=(_at("elbo_to_iwae", box="64"),),
    ),
    Claim(
        name="one_is_the_elbo",
        sentence="With K = 1 the IWAE bound is the ELBO.",
        verdict=HOLDS,
        nuance="The same number on average. The usual VAE computes the KL in closed form, which "
        "is another estimator of it, with another spread: which is the steadier one depends on q.",
        source="Burda et al. (2016), arXiv:1509.00519, section 3; Roeder et al. (2017), "
        "arXiv:1703.09194",
        places=(_at("elbo_to_iwae", part="three_ways"),),
    ),
    Claim(
        name="tightens",
        sentence="The bound tightens as K grows, and converges to log p(x).",
        verdict=CONDITION,
        nuance="On average it never loosens, for any q. It converges to log p(x) for bounded "
        "weights, and indeed wherever q covers the posterior and the ELBO is finite. "
        "Like 1/K only if the weights have finite variance. A single run may lie above log p(x), "
        "or fall as samples are added.",
        source="Burda et al. (2016), arXiv:1509.00519, theorem 1; Domke and Sheldon (2018), "
        "arXiv:1808.09034",
        places=(
            _at("elbo_to_iwae", "the bound against K", part="curve", K="64"),
            _at("board", "one model by K = 1 and exactly", answer="most", one="21", two="27"),
        ),
    ),
    Claim(
        name="elbo_below",
        sentence="The ELBO underestimates log p(x).",
        verdict=CONDITION,
        nuance="By exactly KL(q || posterior): by nothing where q is the posterior. And it is the "
        "expectation that lies below; an estimate from few samples may lie above.",
        source="Jordan et al. (1999), Machine Learning 37; Kingma and Welling (2014), "
        "arXiv:1312.6114, equation 1",
        places=(
            _at("elbo_to_iwae", "q off, a gap at K = 1", part="curve", K="1"),
            _at("elbo_to_iwae", "q exact, no gap", part="curve", K="1", shift="0"),
            _at("board", "a VAE by its ELBO and exactly", answer="most", one="0", two="6"),
        ),
    ),
    Claim(
        name="posterior_better",
        sentence="The IWAE approximates the posterior better than the VAE.",
        verdict=CONDITION,
        nuance="The posterior that it uses, q weighted and resampled, does. Its encoder's q taken "
        "alone is often farther from the posterior, since it is trained to cover rather than to "
        "fit: whoever takes the plain encoder for inference gets less.",
        source="Cremer, Morris and Duvenaud (2017), arXiv:1704.02916",
        places=(_at("posterior_used", part="trained", trained_K="10"),),
    ),
    Claim(
        name="encoder_gradient",
        sentence="More samples give the encoder a stronger gradient.",
        verdict=NOT_IN_GENERAL,
        nuance="The signal-to-noise ratio of the plain gradient falls like the inverse square "
        "root of K for the encoder, and rises like the square root of K for the decoder. Doubly "
        "reparameterized gradients repair it at large K.",
        source="Rainforth et al. (2018), Tighter variational bounds are not necessarily better, "
        "arXiv:1802.04537; Tucker et al. (2019), arXiv:1810.04152",
        places=(_at("gradients", part="snr"),),
    ),
    Claim(
        name="richer_latents",
        sentence="The IWAE's latents are richer.",
        verdict=CONDITION,
        nuance="On MNIST and OMNIGLOT it uses more active units (19 grow to 25, 28 to 41, at "
        "K = 50 with one layer). An active unit is one whose mean moves with the data, however "
        "little it says: on the digits K = 50 keeps all 16 active, and yet the wider q of each "
        "datapoint carries less information about it than the VAE's. With K = 5 the five pairs of "
        "Twins show no difference in the count, and less information at every seed.",
        source="Burda et al. (2016), arXiv:1509.00519, table 1",
        places=(_at("twins", answer_one="a", answer_many="b"),),
    ),
    Claim(
        name="collapse",
        sentence="The IWAE mitigates posterior collapse, even with powerful decoders.",
        verdict=CONDITION,
        nuance="It weakens the part of collapse that comes from a poor q: the pull towards a "
        "simple posterior. It does not touch the part that the model itself prefers: where a "
        "decoder can explain the data without z, log p(x) gains nothing from z, and the tightest "
        "bound does not ask for it. At the linear VAE's optimum the same latents collapse "
        "whatever K is. On the digits, after 2,000 steps with an autoregressive decoder, the VAE "
        "keeps most units active anyway, and the IWAE's q carries a little more information.",
        source="Chen et al. (2017), Variational lossy autoencoder, arXiv:1611.02731; Lucas et al. "
        "(2019), arXiv:1911.02469",
        places=(_at("train", decoder="autoregressive"),),
    ),
    Claim(
        name="better_model",
        sentence="The IWAE learns a better generative model.",
        verdict=CONDITION,
        nuance="In likelihood, by a nat or two on MNIST (86.76 to 84.78 at K = 50) and half a nat "
        "on the digits (a third with K = 5), at the cost of K decoder passes. By its ELBO the "
        "same model looks worse. How good samples look is another question that no bound answers.",
        source="Burda et al. (2016), arXiv:1509.00519, table 1; Theis, van den Oord and Bethge "
        "(2016), arXiv:1511.01844",
        places=(
            _at("twins", "two runs in lock step", answer_one="a", answer_many="b"),
            _at("board", "K = 1 and K = 64, exactly", answer="most", one="6", two="27"),
        ),
    ),
    Claim(
        name="downstream",
        sentence="Downstream tasks improve with the IWAE's representation.",
        verdict=NOT_IN_GENERAL,
        nuance="The bound rewards likelihood, not what a classifier needs; two models with one "
        "likelihood may have any representation. On the digits the IWAE's means do a little worse "
        "than the VAE's, in the linear probe and with few labels at each of the five seeds of "
        "Twins. With an autoregressive decoder, beside which a VAE uses its latents less, the "
        "same probe gains. Look at your own task.",
        source="Alemi et al. (2018), Fixing a broken ELBO, arXiv:1711.00464; Tschannen et al. "
        "(2018), arXiv:1812.05069",
        places=(_at("twins", answer_one="a", answer_many="b"),),
    ),
    Claim(
        name="accurate_likelihood",
        sentence="Importance weighting gives more accurate likelihood estimates.",
        verdict=CONDITION,
        nuance="For any trained model, VAE or IWAE: it is the samples at test time that count. "
        "The estimate stays a lower bound, as good as q: compare models with one K only, and "
        "check with an upper bound or annealed importance sampling where it matters.",
        source="Burda et al. (2016), arXiv:1509.00519, section 5; Wu et al. (2017), On the "
        "quantitative analysis of decoder-based generative models, arXiv:1611.04273",
        places=(
            _at("board", "one model by K = 1 and exactly", answer="most", one="21", two="27"),
            _at("elbo_to_iwae", "q without correlation", part="curve", shift="0", correlated="0"),
        ),
    ),
    Claim(
        name="same_model",
        sentence="The IWAE is not a different model but a better objective.",
        verdict=CONDITION,
        nuance="The same networks and the same p(x, z); two lines of code differ. Better for the "
        "likelihood of the model, on average. Not for everything: the encoder learns another q, "
        "its plain gradient gets noisier with K, and a step costs K decoder passes.",
        source="Burda et al. (2016), arXiv:1509.00519; Rainforth et al. (2018), arXiv:1802.04537",
        places=(
            _at("side_by_side"),
            _at("board", "the VAE by its ELBO, K = 64 exactly", answer="most", one="0", two="27"),
        ),
    ),
)


def claim(name: str) -> Claim:
    """The claim of that name.

    Raises:
        ValueError: If there is none.
    """
    check_known(name, (entry.name for entry in CLAIMS), "claim")
    return next(entry for entry in CLAIMS if entry.name == name)


def evidence(entry: Claim) -> tuple[Finding, ...]:
    """The numbers behind a claim: computed, or read from the benchmark's file."""
    return EVIDENCE[entry.name]()


def measure(name: str) -> tuple[Finding, ...]:
    """The numbers behind the claim of that name; what a worker process is asked for."""
    return evidence(claim(name))
