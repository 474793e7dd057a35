"""One number behind a claim, and what is known of its error."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One measured number.

    Attributes:
        label: What it is.
        value: The number.
        unit: "nats", "", ...
        std_error: Standard error of a number that was drawn, or None.
        spread: Lowest and highest over the seeds of trained models, or None. With neither of the
            two the number is exact: a closed form, quadrature, or a count.
        measured: Of trained models: which benchmark, on what.
    """

    label: str
    value: float
    unit: str = ""
    std_error: float | None = None
    spread: tuple[float, float] | None = None
    measured: str = ""
