"""The row "Save as": each picture as PNG and as SVG, the same picture twice, and its numbers."""

import base64
import csv
import re
from pathlib import Path
from xml.etree import ElementTree

import hands
import pytest

SVG = "{http://www.w3.org/2000/svg}"

# Both pictures at the size of the second: mean difference of the tones (of 255), and the share of
# pixels far off.
COMPARE = """async ([svg, png]) => {
  const [drawn, painted] = await Promise.all([svg, png].map(async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  }));
  const { width: WIDE, height: TALL } = painted;
  const pixels = (image) => {
    const pen = new OffscreenCanvas(WIDE, TALL).getContext("2d");
    pen.drawImage(image, 0, 0, WIDE, TALL);
    return pen.getImageData(0, 0, WIDE, TALL).data;
  };
  const [one, other] = [pixels(drawn), pixels(painted)];
  let [sum, far] = [0, 0];
  for (let i = 0; i < one.length; i += 4) {
    const apart = Math.max(...[0, 1, 2].map((k) => Math.abs(one[i + k] - other[i + k])));
    sum += apart;
    far += apart > 96;
  }
  return [sum, far].map((all) => (4 * all) / one.length);
}"""


def saved(page, kind):
    """Save by keyboard alone; the file."""
    button = page.get_by_role("button", name=kind, exact=True).first
    button.focus()
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    return waiting.value


def data_url(file, media_type):
    return f"data:{media_type};base64,{base64.b64encode(Path(file.path()).read_bytes()).decode()}"


def pictures(page):
    """Both files of what is shown as addresses, and the texts in the SVG."""
    svg, png = saved(page, "SVG"), saved(page, "PNG")
    assert Path(svg.suggested_filename).stem == Path(png.suggested_filename).stem
    root = ElementTree.parse(svg.path()).getroot()
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}desc").text
    texts = {text.text for text in root.iter(f"{SVG}text")}
    return data_url(svg, "image/svg+xml"), data_url(png, "image/png"), texts


def assert_the_same(page):
    """Hold that both files show one picture."""
    svg, png, texts = pictures(page)
    mean, far = page.evaluate(COMPARE, [svg, png])
    assert mean < 4
    assert far < 0.006
    assert len(texts) > 10
    return svg, png, texts


def test_the_svg_of_a_scene_is_its_picture(visit):
    # Between them all that painters do: paths, clips, dashes, halos, texts, pixels.
    page = visit(viewport={"width": 1000, "height": 900}).open("gradients")
    hands.ready(page)
    found = []
    for part in ("samples", "backward"):
        if part != "samples":
            hands.turn(page, part=part)
        found.append(assert_the_same(page))
    # Pictures of two parts are told apart by the same measure.
    mean, far = page.evaluate(COMPARE, [found[0][0], found[1][1]])
    assert mean > 8
    assert far > 0.02
    page.goto(page.url.split("/gradients")[0] + "/posterior_used?part=digits")
    hands.ready(page)
    assert_the_same(page)


def test_panels_are_saved_as_one_picture_with_their_headings_and_curves(visit):
    visitor = visit(viewport={"width": 1000, "height": 900}, color_scheme="dark")
    page = visitor.open("train")
    still = "dataset.mode === 'paused' && dataset.held && dataset.gliding === 'false'"
    picture = "document.querySelector('.lab-train') ?? {dataset: {}}"
    page.wait_for_function(f"(({{dataset}}) => {still})({picture})")
    _, _, texts = assert_the_same(page)
    assert "Bounds on log p(x)" in texts
    assert any(text.startswith("Latent plane") for text in texts)
    rows = list(csv.reader(Path(saved(page, "CSV").path()).read_text().splitlines()))
    assert rows[0] == ["series", "step", "value"]
    held = {row[0]: float(row[2]) for row in rows[1:]}  # the last of each
    shown = page.locator(".lab-train-status").inner_text().replace("\u2212", "-")
    assert held["L_64"] == pytest.approx(float(re.search(r"L₆₄\W+(-[\d.]+)", shown)[1]), abs=0.006)
