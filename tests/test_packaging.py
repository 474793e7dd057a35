"""The wheel carries the whole app: installed into a clean environment, it serves anywhere."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import patience
import pytest
import serving

from iwae_core import __version__
from iwae_core.places import APP

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # The build backend is among the pinned requirements, so nothing is fetched.
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), APP],
        check=True,
        capture_output=True,
        timeout=patience.SECONDS,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Python of a clean environment that holds our wheel and sees the pinned packages."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", str(wheel)],
        check=True,
        capture_output=True,
        timeout=patience.SECONDS,
    )
    # The other packages are those of this environment; torch alone is 200 MB to install again.
    # Plain paths in a .pth are searched, but the .pth of our editable install there is not run.
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "pinned.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_wheel_holds_every_file_of_the_app(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in ("pages", "assets", ".streamlit"):
        for path in (APP / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"iwae_core/_app/{path.relative_to(APP).as_posix()}" in names
    assert "iwae_core/_app/app.py" in names
    assert not [name for name in names if name.startswith("tests")]
    assert f"iwae_lab-{__version__}" in wheel.name


def test_the_installed_app_answers_from_another_folder(installed, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    where = subprocess.run(
        [installed, "-c", "from iwae_core import places; print(places.APP)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert where.endswith("iwae_core/_app")
    assert where.startswith(str(installed.parent.parent))

    def command(port):
        return [str(installed.with_name("iwae-lab")), "--port", str(port)]

    with serving.serve(command, cwd=tmp_path) as running:
        for path in ("/", "/_stcore/health", "/lab/chart.js"):
            assert running.get(path)[0] == 200, path
        assert running.health()["options"]["runner.postScriptGC"] is False
        running.wait_until_warm()
