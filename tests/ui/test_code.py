"""Show the code: constants go in, what comes out runs, and the notebook holds the same lines."""

import json
import subprocess
import sys

import patience
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae_core.places import ASSETS
from iwae_core.ui import code

SCRIPT = '''"""Demo."""

K = 64  # samples
SHAPE = (1, 2)
name = "a"

# %%
total = K + 1
K_max = K
print(K, SHAPE, name, K_max)
'''

literals = st.one_of(
    st.integers(),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
    st.floats(allow_nan=False, allow_infinity=False),
)


def run(script):
    names = {}
    exec(compile(script, "script", "exec"), names)
    return names


@given(K=literals, shape=st.tuples(literals, literals))
def test_values_arrive_as_they_are(K, shape):
    filled = run(code.fill(SCRIPT.replace("total = K + 1", ""), K=K, SHAPE=shape))
    assert filled["K"] == K
    assert filled["SHAPE"] == shape
    assert filled["name"] == "a"


def test_the_comment_and_every_other_line_stay():
    assert code.fill(SCRIPT, K=5) == SCRIPT.replace("K = 64  #", "K = 5  #")


def test_a_missing_or_double_constant_is_refused():
    with pytest.raises(ValueError, match=r"must set seed .* found 0"):
        code.fill(SCRIPT, seed=1)
    with pytest.raises(ValueError, match=r"found 2 such lines"):
        code.fill(SCRIPT + "K = 1\n", K=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_a_value_that_no_literal_writes_is_refused(value):
    with pytest.raises(ValueError, match="cannot stand in a script"):
        code.fill(SCRIPT, K=value)


def test_a_notebook_holds_the_script_cell_by_cell():
    book = json.loads(code.notebook(SCRIPT))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    cells = ["".join(cell["source"]) for cell in book["cells"]]
    assert len(cells) == 2
    assert cells[1].startswith("total = K + 1")
    assert run("\n".join(cells))["K_max"] == 64
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids)


def test_an_unknown_lesson_has_no_script():
    with pytest.raises(ValueError, match="no script nowhere"):
        code.template("nowhere")


SCRIPTS = sorted((ASSETS / "code").glob("*.py"))
# Trainings of a thousand steps and more: the pages' tests hold their numbers.
LONG = {"side_by_side_vae", "side_by_side_iwae", "twins_uses", "board", "board_digits"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_runs_to_its_end(path, tmp_path, monkeypatch, capsys):
    # In a namespace of its own; a process of its own imports torch for a second and a half.
    script = path.read_text()
    if path.stem in LONG:
        script = code.fill(script, N_STEPS=20)
    monkeypatch.chdir(tmp_path)
    run(script)
    assert capsys.readouterr().out.strip(), "a script prints its result"


def test_a_script_runs_alone(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ASSETS / "code" / "borrowed_samples.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=patience.SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
