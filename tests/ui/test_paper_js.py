"""Paper, which takes the place of a canvas, has all that painters ask of a pen."""

import re

from iwae_core.places import ASSETS

COMPONENTS = ASSETS / "components"
ON_A_REAL_CANVAS_ONLY = {"scale", "putImageData", "getImageData"}


def test_paper_has_all_that_painters_ask_of_a_pen():
    source = (COMPONENTS / "paper.js").read_text()
    settings, methods = re.search(
        r"const START = {(.*?)};.*?class Pen {(.*?)\n}", source, re.S
    ).groups()
    known = set(re.findall(r"(\w+):", settings)) | set(re.findall(r"^  (\w+)\(", methods, re.M))
    assert {"fillText", "ellipse", "globalAlpha"} <= known
    for path in sorted(COMPONENTS.glob("*.js")):
        if path.name != "paper.js":
            asked = set(re.findall(r"\bpen\.(\w+)", path.read_text()))
            missing = asked - known - ON_A_REAL_CANVAS_ONLY - {"stamps"}
            assert not missing, f"{path.name} asks for {missing}"
