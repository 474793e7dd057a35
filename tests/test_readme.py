"""What the README shows as code runs as it stands there, and what it names exists."""

import re

from iwae_core.places import APP

README = (APP / "README.md").read_text(encoding="utf-8")


def test_every_python_example_runs_and_tells_the_truth(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    oracle, training = capsys.readouterr().out.splitlines()
    lower, upper, exact, size = map(float, re.findall(r"-?\d+\.?\d*", oracle)[:4])
    assert lower < upper
    assert abs(upper - exact) < 0.1
    assert 1 < size < 1000
    one, many = map(float, re.findall(r"-\d+\.\d+", training))
    assert -30 < one < many < -20


def test_the_files_and_folders_it_names_exist():
    for name in re.findall(r"^    (\w[\w.]*/?)  ", README, flags=re.MULTILINE):
        if not name.startswith("make"):
            assert (APP / name).exists(), name
    for name in re.findall(r"`((?:iwae_core|assets|benchmarks)/[\w/.]+)`", README):
        assert (APP / name).exists(), name
