"""The palette: readable on both themes, told apart without color, and the same in Streamlit."""

import itertools
import json
import re
import tomllib

import pytest

from iwae_core.places import APP
from iwae_core.view import theme

CONFIG = tomllib.loads((APP / ".streamlit" / "config.toml").read_text())["theme"]
MODES = ("light", "dark")


def luminance(color):
    # WCAG 2.2, "relative luminance".
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_published_examples():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("role", theme.ROLES.values(), ids=lambda role: role.name)
def test_every_role_is_readable_as_a_line_and_as_text(role, mode):
    background = theme.BACKGROUND[mode]
    assert contrast(getattr(role, mode), background) >= 3.0
    assert contrast(getattr(role, f"{mode}_text"), background) >= 4.5


@pytest.mark.parametrize("mode", MODES)
def test_axis_text_is_readable(mode):
    for tone in (theme.TEXT, theme.MUTED):
        assert contrast(tone[mode], theme.BACKGROUND[mode]) >= 4.5


def test_roles_differ_without_their_color():
    for one, other in itertools.combinations(theme.ROLES.values(), 2):
        assert (one.dash, one.symbol) != (other.dash, other.symbol)
        assert one.symbol != other.symbol


@pytest.mark.parametrize("mode", MODES)
def test_streamlit_wears_the_same_colors(mode):
    config = CONFIG[mode]
    assert config["backgroundColor"] == theme.BACKGROUND[mode]
    assert config["secondaryBackgroundColor"] == theme.SECONDARY_BACKGROUND[mode]
    assert config["textColor"] == theme.TEXT[mode]
    assert config["chartCategoricalColors"] == list(theme.CATEGORIES)
    for role in theme.ROLES.values():
        if role.prose:
            assert config[f"{role.prose}TextColor"] == getattr(role, f"{mode}_text")


def test_one_light_tone_has_one_dark_partner():
    pairs = [(r.light.lower(), r.dark.lower()) for r in theme.ROLES.values()]
    for light, dark in pairs:
        assert theme.recolor()[light] == dark


def test_the_browser_module_says_what_python_says():
    module = theme.javascript()
    exports = dict(re.findall(r"^export const (\w+) = (.*);$", module, re.MULTILINE))
    assert json.loads(exports["toDark"]) == theme.recolor()
    assert json.loads(exports["templates"])["dark"] == theme.template("dark")
    assert json.loads(exports["roles"])["light"]["target"] == theme.TARGET.light


def test_a_figure_takes_its_style_and_the_callers_layout():
    figure = theme.figure(xaxis_title="z")
    assert figure.layout.xaxis.title.text == "z"
    assert figure.layout.template.layout.font.size == theme.FONT_SIZE
