"""Data to train on, behind one registry."""

from iwae_core.datasets.dataset import Dataset, Likelihood, binarize
from iwae_core.datasets.files import DATA_FOLDER_VARIABLE
from iwae_core.datasets.lookup import check_name, find, load, missing_files
from iwae_core.datasets.readers import read_amat, read_idx
from iwae_core.datasets.registry import DATASETS, DatasetSpec
from iwae_core.datasets.synthetic import gaussians, moons, pinwheel, rings

__all__ = [
    "DATASETS",
    "DATA_FOLDER_VARIABLE",
    "Dataset",
    "DatasetSpec",
    "Likelihood",
    "binarize",
    "check_name",
    "find",
    "gaussians",
    "load",
    "missing_files",
    "moons",
    "pinwheel",
    "read_amat",
    "read_idx",
    "rings",
]
