"""The training laboratory in a real browser: a preset, a change in flight, a drawing, a table."""

import random
import re

import hands
import pytest

from iwae_core.ui.training_presets import PRESETS


class Lab:
    """What a reader sees of the live picture, and the buttons that drive it."""

    def __init__(self, visitor, query=""):
        self.page = visitor.open("train", query)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def choose(self, label, option):
        self.page.get_by_role("combobox", name=re.compile(label)).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def wait_for(self, condition):
        # Between two runs there may be no picture for a moment, hence the empty stand-in.
        picture = "document.querySelector('.lab-train') ?? {dataset: {}}"
        self.page.wait_for_function(f"(({{dataset}}) => {condition})({picture})")

    @property
    def step(self):
        return int(self.page.locator(".lab-train").get_attribute("data-step"))


def test_a_preset_plays_and_K_and_objective_change_in_flight(visit):
    lab = Lab(visit(), "?guess=many")
    scene = PRESETS["pinwheel"]
    lab.choose("Scene", scene.title)
    lab.page.get_by_text(scene.why).wait_for()
    lab.page.wait_for_url(re.compile("data=pinwheel"))
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 20")
    slider = lab.page.get_by_role("slider", name=re.compile("K"))
    slider.focus()
    slider.press("ArrowLeft")
    lab.wait_for("dataset.samples === '4'")
    at = lab.step
    lab.choose("Objective", "VAE: ELBO, closed-form KL")
    lab.page.wait_for_url(re.compile("objective=vae"))
    lab.wait_for(f"dataset.mode === 'playing' && Number(dataset.step) > {at} + 20")
    lab.press("Pause")


def test_points_drawn_by_mouse_and_keys_are_trained_on(visit):
    lab = Lab(visit(), "?data=drawn&latents=2")
    canvas = lab.page.locator(".lab-scene canvas")
    lab.press("Clear")
    lab.page.get_by_text("20 to 500 points, got 0").wait_for()
    with hands.answered(lab.page):
        canvas.hover()  # once it stands still
        box = canvas.bounding_box()

        def at(x, y):
            return box["x"] + x * box["width"], box["y"] + y * box["height"]

        lab.page.mouse.move(*at(0.2, 0.8))
        lab.page.mouse.down()
        for i in range(1, 9):
            lab.page.mouse.move(*at(0.2 + 0.07 * i, 0.8 - 0.06 * i))
        lab.page.mouse.up()
    drawn = int(hands.cards(lab.page)["Points"].value)
    assert 25 < drawn < 60
    with hands.answered(lab.page):
        canvas.focus()
        for key in ("ArrowLeft", "ArrowDown", "Enter", "Enter", "Backspace"):
            lab.page.keyboard.press(key)
    assert int(hands.cards(lab.page)["Points"].value) == drawn + 1
    lab.page.wait_for_url(re.compile(rf"points=[\w-]{{{2 * drawn + 2}}}(&|$)"))
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 5")
    lab.press("Pause")


@pytest.fixture
def csv_lines():
    draw = random.Random(1)
    rows = (f"{draw.gauss(5, 2):.3f},{draw.gauss(-1, 1):.3f},{'ab'[i % 2]}" for i in range(80))
    return ["length,width,kind", *rows]


def test_a_csv_file_is_trained_on_and_a_broken_one_names_its_cell(visit, csv_lines):
    lab = Lab(visit(), "?data=upload&latents=2")

    def upload(name, lines):
        content = "\n".join(lines).encode()
        lab.page.locator("input[type=file]").set_input_files(
            {"name": name, "mimeType": "text/csv", "buffer": content}
        )

    broken = [*csv_lines[:41], "tall,1.0,a", *csv_lines[41:]]
    upload("broken.csv", broken)
    lab.page.get_by_text("column 'length', row 42 holds 'tall'").wait_for()
    assert not lab.page.locator(".lab-train").count()
    lab.page.get_by_role("button", name="Remove broken.csv").click()
    upload("good.csv", csv_lines)
    lab.page.get_by_text("2 columns, each shifted and scaled").wait_for()
    lab.press("Train on this table")
    lab.page.wait_for_url(re.compile(r"table=[0-9a-f]{32}"))
    lab.press("Play")
    lab.wait_for("Number(dataset.step) > 5")
    lab.press("Pause")
