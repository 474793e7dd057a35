"""The one list of lessons: navigation, tests and benchmarks all walk through it."""

from dataclasses import dataclass
from pathlib import Path

from iwae_core.places import PAGES

SECTIONS = (
    "Start",
    "Importance sampling",
    "The bound",
    "Training",
    "Posterior collapse",
    "Reference",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One page: ``name`` is its file in pages/ and its address in the URL."""

    name: str
    title: str
    section: str
    icon: str

    @property
    def path(self) -> Path:
        """The page's script."""
        return PAGES / f"{self.name}.py"


_PLANNED = (
    Lesson(name="home", title="Home", section="Start", icon=":material/home:"),
    Lesson(
        name="borrowed_samples",
        title="Borrowed samples",
        section="Importance sampling",
        icon=":material/balance:",
    ),
    Lesson(
        name="when_weights_fail",
        title="When weights fail",
        section="Importance sampling",
        icon=":material/warning:",
    ),
    Lesson(
        name="better_proposals",
        title="Better proposals",
        section="Importance sampling",
        icon=":material/build:",
    ),
    Lesson(
        name="elbo_to_iwae",
        title="From ELBO to IWAE",
        section="The bound",
        icon=":material/stacked_line_chart:",
    ),
    Lesson(
        name="posterior_used",
        title="The posterior you really use",
        section="The bound",
        icon=":material/blur_on:",
    ),
    Lesson(name="gradients", title="Gradients", section="The bound", icon=":material/explore:"),
    Lesson(name="train", title="Train", section="Training", icon=":material/play_circle:"),
    Lesson(name="twins", title="Twins", section="Training", icon=":material/diversity_2:"),
    Lesson(name="xray", title="Weight x-ray", section="Training", icon=":material/skeleton:"),
    Lesson(
        name="board",
        title="Train K by test K",
        section="Training",
        icon=":material/grid_on:",
    ),
    Lesson(name="claims", title="Claims, tested", section="Reference", icon=":material/gavel:"),
    Lesson(
        name="side_by_side",
        title="Side by side in code",
        section="Reference",
        icon=":material/compare_arrows:",
    ),
    Lesson(name="glossary", title="Glossary", section="Reference", icon=":material/book_2:"),
)

# A lesson is shown once its page is written.
LESSONS = tuple(lesson for lesson in _PLANNED if lesson.path.is_file())
