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
  const now = () => [...root.querySelectorAll("canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let hash = 0;
    for (const pixel of new Uint32Array(data.buffer)) hash = (Math.imul(hash, 31) + pixel) | 0;
    return hash;
  }).join();
  const ink = async () => {  // once it has come to rest, on a busy machine too
    let last = null;
    for (let same = 0; same < 2; ) {
      for (let i = 0; i < 2; i += 1) await frame();
      const next = now();
      same = next === last ? same + 1 : 0;
      last = next;
    }
    return last;
  };
  const terms = [...root.querySelectorAll(".lab-term")].filter((node) => node.dataset.term);
  const marked = async (node) => {
    node.dispatchEvent(new PointerEvent("pointerenter"));
    const seen = await ink();
    node.dispatchEvent(new PointerEvent("pointerleave"));
    return seen;
  };
  const [first] = terms;
  // The browser draws a canvas by other means once it has been read some times: begin after that.
  let plain = await ink();
  for (let before = null; plain !== before; ) {
    before = plain;
    for (let i = 0; i < 3; i += 1) await marked(first);
    plain = await ink();
  }
  const name = first.dataset.term;
  first.dataset.term = "nothing";
  const dimmed = await marked(first);
  first.dataset.term = name;
  const found = {};
  for (const node of terms) found[node.dataset.term] ??= await marked(node);
  const asleep = terms.filter((node) => node.tabIndex !== 0).map((node) => node.dataset.term);
  return { plain, dimmed, found, asleep, after: await ink() };
}"""

PAINTED = """async (canvas) => {
  for (let i = 0; i < 3; i += 1) await new Promise(requestAnimationFrame);
  return canvas.toDataURL();
}"""


@pytest.mark.parametrize("name", PARTS)
def test_each_term_marks_its_own_part_and_leaves_the_picture_as_it_was(visit, name):
    visitor = visit(reduced_motion="reduce", viewport={"width": 700, "height": 900})
    faults = []
    for query in PARTS[name]:
        page = visitor.open(name, query)
        hands.ready(page)
        seen = page.evaluate(SEEN)
        pictures = seen["found"]
        assert len(pictures) > 1, query
        for term, picture in pictures.items():
            if picture == seen["plain"]:
                faults.append(f"{query}: {term} marks nothing")
            if picture == seen["dimmed"]:
                faults.append(f"{query}: {term} only dims the picture")
        if query != ONE_ARROW and len(set(pictures.values())) < len(pictures):
            faults.append(f"{query}: two terms mark the same: {pictures}")
        if seen["after"] != seen["plain"]:
            faults.append(f"{query}: a trace is left")
        if seen["asleep"]:
            faults.append(f"{query}: not reached by keys: {seen['asleep']}")
    assert faults == []


def test_the_pointer_and_the_focus_mark_alike(visit):
    page = visit(reduced_motion="reduce").open("borrowed_samples")
    hands.ready(page)
    canvas = page.locator(".lab-stage canvas")
    shown = lambda: canvas.evaluate(PAINTED)  # noqa: E731
    term = page.locator(".lab-term[data-term=target]").first
    for _ in range(4):  # as above: begin after the browser has changed its means
        term.hover()
        shown()
        page.mouse.move(2, 2)
        shown()
    plain = shown()

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
