"""IWAE Lab's core: importance sampling, its bounds, and models trained with them."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("iwae-lab")  # said once, in pyproject.toml
except PackageNotFoundError:  # the folder is on the path, but was never installed
    __version__ = "0.0.0+uninstalled"
