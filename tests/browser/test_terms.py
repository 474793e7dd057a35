"""A term of the live formula under the pointer, or in focus, marks its part of the picture."""

import hands
import pytest

from iwae_core.evaluation.studies.how_many import HowManyConfig
from iwae_core.ui import failing_flag

# Each part of the lessons with a live formula, where its numbers are told.
PARTS = {
    "borrowed_samples": [""],
    "when_weights_fail": [
        "?part=tails",
        "?part=lucky",
        f"?part=how_many&shown={failing_flag.key(HowManyConfig())}",
        "?part=lift",
    ],
    "better_proposals": [
        "?part=ratio",
        "?part=mixtures",
        "?part=mixtures&weights=balance",
        "?part=rare",
    ],
    "elbo_to_iwae": ["?part=coins", "?part=jensen", "?part=curve", "?part=three_ways"],
    "posterior_used": [
        "?part=drag",
        "?part=trained&answer_trained=nearer",
        "?part=digits&answer_digits=larger",
    ],
    "gradients": [
        "?part=samples",
        "?part=fans",
        "?part=fans&estimator=stick_the_landing&K=16",
        "?part=snr&answer_snr=falls",
        "?part=backward&answer_backward=heaviest",
    ],
    "xray": [""],
}
ONE_ARROW = "?part=fans"  # the estimator's mean is the bound's gradient there
# What all canvases of the scene show, as a number, with no term marked, with a term that does not
# exist (everything is dimmed), and with each term in turn.
SEEN = """async () => {
  const root = document.querySelector(".lab-scene");
  const frame = () => new Promise(requestAnimationFrame);
  const ink = async () => {
    for (let i = 0; i < 4; i += 1) await frame();
    return [...root.querySelectorAll("canvas")].map((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let hash = 0;
      for (let i = 0; i < data.length; i += 1) hash = (hash * 31 + data[i]) | 0;
      return hash;
    }).join();
  };
  const terms = [...root.querySelectorAll(".lab-term")].filter((node) => node.dataset.term);
  const marked = async (node) => {
    node.dispatchEvent(new PointerEvent("pointerenter"));
    const seen = await ink();
    node.dispatchEvent(new PointerEvent("pointerleave"));
    return seen;
  };
  const plain = await ink();
  const [first] = terms;
  const name = first.dataset.term;
  first.dataset.term = "nothing";
  const dimmed = await marked(first);
  first.dataset.term = name;
  const found = [];
  for (const node of terms) {
    const [term, seen] = [node.dataset.term, await marked(node)];
    found.push({ term, seen, focusable: node.tabIndex === 0, after: await ink() });
  }
  return { plain, dimmed, found };
}"""


@pytest.mark.parametrize("name", PARTS)
def test_each_term_marks_its_own_part_and_leaves_the_picture_as_it_was(visit, name):
    visitor = visit(reduced_motion="reduce")
    faults = []
    for query in PARTS[name]:
        page = visitor.open(name, query)
        hands.ready(page)
        seen = page.evaluate(SEEN)
        pictures = {one["term"]: one["seen"] for one in seen["found"]}
        assert len(pictures) > 1, query
        for one in seen["found"]:
            term = f"{query} {one['term']}"
            if one["seen"] == seen["plain"]:
                faults.append(f"{term} marks nothing")
            if one["seen"] == seen["dimmed"]:
                faults.append(f"{term} only dims the picture")
            if one["after"] != seen["plain"]:
                faults.append(f"{term} leaves a trace")
            if not one["focusable"]:
                faults.append(f"{term} is not reached by keys")
        if query != ONE_ARROW and len(set(pictures.values())) < len(pictures):
            faults.append(f"{query}: two terms mark the same: {pictures}")
    assert faults == []


def test_the_pointer_and_the_focus_mark_alike(visit):
    page = visit(reduced_motion="reduce").open("borrowed_samples")
    hands.ready(page)
    canvas = page.locator(".lab-stage canvas")
    shown = lambda: canvas.evaluate("c => c.toDataURL()")  # noqa: E731
    plain = shown()
    term = page.locator(".lab-term[data-term=target]").first

    def becomes(other, equal):
        page.wait_for_function(
            "([other, equal]) => (document.querySelector('.lab-stage canvas').toDataURL()"
            " === other) === equal",
            arg=[other, equal],
        )

    term.hover()
    becomes(plain, equal=False)
    pointed = shown()
    page.mouse.move(2, 2)
    becomes(plain, equal=True)
    term.focus()
    becomes(pointed, equal=True)
    page.keyboard.press("Tab")
    becomes(pointed, equal=False)
