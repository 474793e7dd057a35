"""Where the app's files lie: beside the package in a clone, inside it in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).parent

# The wheel carries app.py, pages/, assets/ and .streamlit/ as ``iwae_core/_app`` (pyproject.toml).
APP = _PACKAGE / "_app" if (_PACKAGE / "_app").is_dir() else _PACKAGE.parent
PAGES = APP / "pages"
ASSETS = APP / "assets"
