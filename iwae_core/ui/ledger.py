"""The ledger of claims on a page: the reader judges each before its verdict and numbers open."""

import math
import re
from collections.abc import Sequence
from html import escape

import streamlit as st

from iwae_core.evaluation.studies.claims import (
    CLAIMS,
    CONDITION,
    HOLDS,
    NOT_IN_GENERAL,
    Claim,
    claim,
    measure,
)
from iwae_core.evaluation.studies.evidence import SLOW
from iwae_core.evaluation.studies.finding import Finding
from iwae_core.ui import code, controls, jobs, predict, terms
from iwae_core.ui.fields import BoolField, ChoiceField
from iwae_core.ui.url import Link
from iwae_core.view.numbers import MINUS, digits, fixed

PAGE = "claims"
NONE, ALL = "none", "all"
FILTERS = {"holds": HOLDS, "condition": CONDITION, "not": NOT_IN_GENERAL}
ANSWERS = {name: verdict.capitalize() for name, verdict in FILTERS.items()}
UNJUDGED = ":material/help:"
ICONS = {
    HOLDS: ":material/check_circle:",
    CONDITION: ":material/rule:",
    NOT_IN_GENERAL: ":material/cancel:",
}
CLAIM = ChoiceField(name="claim", default=NONE, choices=(NONE, *(one.name for one in CLAIMS)))
VERDICT = ChoiceField(name="verdict", default=ALL, choices=(ALL, *FILTERS))
SHOWN = BoolField(name="shown")  # all verdicts, judged or not
SAID = {one.name: predict.answer_field(*FILTERS, name=one.name) for one in CLAIMS}
FIELDS = (CLAIM, VERDICT, SHOWN, *SAID.values())
_WANTED, _FIRST = f"{PAGE}.wanted", f"{PAGE}.first"
_ROUNDING = 1e-12  # an exact number below this is zero


def counts() -> dict[str, int]:
    """Live numbers of the introduction."""
    n = {name: sum(one.verdict == verdict for one in CLAIMS) for name, verdict in FILTERS.items()}
    return {
        "n_claims": len(CLAIMS),
        "n_hold": n["holds"],
        "n_condition": n["condition"],
        "n_not": n["not"],
    }


def names() -> dict[str, str]:
    """What the filter reads."""
    return {ALL: "All"} | ANSWERS


def sort(link: Link) -> None:
    """Place the filter, and the switch that gives all verdicts away."""
    controls.choice(link, VERDICT, "Verdict", names=names())
    controls.toggle(link, SHOWN, "Show all verdicts", help="Also those you have not judged.")
    judged = [one for one in CLAIMS if link.value(SAID[one.name]) != predict.OPEN]
    agreed = sum(FILTERS[link.value(SAID[one.name])] == one.verdict for one in judged)
    hidden = sum(not revealed(link, one) for one in CLAIMS)
    if judged:
        st.caption(f"You have judged {len(judged)} of {len(CLAIMS)}, {agreed} as the numbers do.")
    if hidden and link.value(VERDICT) != ALL:
        st.caption(f"{hidden} claims that you have not judged yet stand below All only.")


def revealed(link: Link, entry: Claim) -> bool:
    """Whether the reader may see the verdict: after a judgement of their own, or at their wish."""
    return link.value(SHOWN) or link.value(SAID[entry.name]) != predict.OPEN


def kept(link: Link) -> tuple[Claim, ...]:
    """The claims to show: those of the chosen verdict, the one that a link named in front."""
    _open_what_the_link_names(link)
    verdict = FILTERS.get(link.value(VERDICT))
    first = st.session_state.get(_FIRST)
    found = [one for one in CLAIMS if one.name == first]
    return (
        *found,
        *(
            one
            for one in CLAIMS
            if one not in found
            and (verdict is None or (verdict == one.verdict and revealed(link, one)))
        ),
    )


def place(link: Link, entry: Claim) -> None:
    """Place one claim: its sentence; once judged, its verdict and all that stands behind it."""
    key = _key(entry.name)

    def toggled() -> None:
        opened = st.session_state[key]
        if opened or link.value(CLAIM) == entry.name:
            st.session_state[_WANTED] = entry.name if opened else NONE
            link.set(CLAIM, st.session_state[_WANTED])

    told = revealed(link, entry)
    was_told = st.session_state.get(f"{key}.told", told)
    st.session_state[f"{key}.told"] = told
    if key in st.session_state and told != was_told:
        # Another label makes another box, which would be closed.
        st.session_state[key] = st.session_state[key]
    box = st.expander(
        f"**{entry.verdict.capitalize()}** · {entry.sentence}" if told else entry.sentence,
        icon=ICONS[entry.verdict] if told else UNJUDGED,
        key=key,
        on_change=toggled,
    )
    if box.open:  # the others' numbers are not even worked out
        with box:
            said = predict.ask(link, SAID[entry.name], "Does it hold?", ANSWERS)
            if said:
                right = FILTERS[said] == entry.verdict
                st.markdown(f"{'Right' if right else 'Not quite'}: **{entry.verdict}**.")
            if told:
                _details(entry)


def script(link: Link) -> str:
    """The numbers of the claim that the address names, or of the first, as a script."""
    name = link.value(CLAIM)
    return code.fill(code.template(PAGE), CLAIM=CLAIMS[0].name if name == NONE else name)


def table(findings: Sequence[Finding]) -> str:
    """The numbers as an HTML table: what, how much with its error, and where it is from."""
    rows = "".join(
        f'<tr><td>{_marked(one.label)}</td><td class="number">{_marked(quantity(one))}</td>'
        f'<td class="origin">{_origin(one)}</td></tr>'
        for one in findings
    )
    return (
        '<div class="lab-table"><table><thead><tr><th>Measured</th><th class="number">Value</th>'
        f"<th>From</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def quantity(finding: Finding) -> str:
    """A number with its error or range, and its unit.

    >>> quantity(Finding(label="gap", value=1.12345, std_error=0.0123, unit="nats"))
    '1.123 ± 0.012 nats'
    """
    unit = f" {finding.unit}" if finding.unit else ""
    if finding.std_error:
        decimals = max(0, 1 - math.floor(math.log10(finding.std_error)))
        return f"{fixed(finding.value, decimals)} ± {fixed(finding.std_error, decimals)}{unit}"
    if finding.spread:
        low, high = (digits(end, 4) for end in finding.spread)
        return f"{digits(finding.value, 4)} ({low} to {high}){unit}"
    value = 0.0 if abs(finding.value) < _ROUNDING else finding.value
    return (fixed(value, 0) if float(value).is_integer() else digits(value, 4)) + unit


def _details(entry: Claim) -> None:
    st.markdown(f"{entry.nuance}\n\n:small[Source: {_linked(entry.source)}]")
    for number, place in enumerate(filter(lambda one: terms.exists(one.page), entry.places)):
        seen = ", ".join(filter(None, (terms.title(place.page), place.shows)))
        st.page_link(
            f"{place.page}.py",
            label=f"{'And another' if number else 'Open the experiment'}: {seen}",
            icon=":material/science:",
            query_params=dict(place.query),
        )
    findings = measure(entry.name) if entry.name not in SLOW else jobs.result(_study(entry))
    if findings:
        _show(entry, findings)


def _study(entry: Claim) -> jobs.Study:
    return jobs.Study(
        kind=f"claim_{entry.name}",
        work=measure,
        args=(entry.name,),
        label="The numbers",
        seconds=5.0,
    )


def _show(entry: Claim, findings: Sequence[Finding]) -> None:
    st.html(table(findings))
    computed = ["computed by this app"] if any(one.spread is None for one in findings) else []
    measured = dict.fromkeys(one.measured for one in findings if one.measured)
    trained = [f"those with a range by {', and by '.join(measured)}"] if measured else []
    said = "; ".join((*computed, *trained))
    st.caption(f"Numbers: {said}. [Link to this claim]({PAGE}?claim={entry.name})")


def _open_what_the_link_names(link: Link) -> None:
    """Open the claim of an address that has just been read; opening by hand comes here too."""
    wanted = link.value(CLAIM)
    if st.session_state.get(_WANTED, NONE) == wanted:
        return
    st.session_state[_WANTED] = wanted
    if wanted != NONE:
        st.session_state[_FIRST] = wanted
        st.session_state[_key(wanted)] = True


def _key(name: str) -> str:
    return f"{PAGE}.{claim(name).name}.open"


def _origin(finding: Finding) -> str:
    if finding.spread:
        return "trained models"
    return "exact" if finding.std_error is None else "drawn"


def _marked(text: str) -> str:
    """Plain text as HTML: L_64 and KL(q_10 || p) with their subscripts, true minus signs."""
    text = re.sub(r"\b([Lq])_(\d+|K)\b", r"\1<sub>\2</sub>", escape(text))
    return text.replace(" - ", f" {MINUS} ")


def _linked(source: str) -> str:
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", source)
