"""A term of the live formula under the pointer, or in focus, marks its part of the picture."""

import hands
import pytest
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from test_parts import ANSWERED

# One number for what all canvases of the scene show.
INK = """() => [...document.querySelectorAll(".lab-scene canvas")].map((canvas) => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let hash = 0;
  for (let i = 0; i < data.length; i += 1) hash = (hash * 31 + data[i]) | 0;
  return hash;
}).join()"""


@pytest.mark.parametrize("name", ANSWERED)
def test_probe(visit, name):
    visitor = visit(reduced_motion="reduce", viewport={"width": 1280, "height": 1400})
    page = visitor.open(name)
    hands.ready(page)
    out = []
    for at in ANSWERED[name]:
        hands.turn(page, **at)
        page.mouse.move(5, 5)
        terms = page.locator(".lab-formula .lab-term")
        n = terms.count()
        plain = page.evaluate(INK)
        for i in range(n):
            term = terms.nth(i)
            key = term.get_attribute("data-term")
            text = term.inner_text().replace("\n", " ")
            if not key:
                out.append((at, text, "-"))
                continue
            term.hover()
            page.wait_for_timeout(150)
            lit = page.evaluate(INK)
            page.mouse.move(5, 5)
            page.wait_for_timeout(150)
            back = page.evaluate(INK)
            out.append((at, text, key, "MARKS" if lit != plain else "NOTHING", "back" if back == plain else "STAYS"))
    import json, pathlib
    pathlib.Path(f"/tmp/proof/t/{name}.txt").write_text("\n".join(map(str, out)))
