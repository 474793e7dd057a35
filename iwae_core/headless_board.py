"""TensorBoard logs of a run without a browser, where that package is installed."""

import importlib.util
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def has_tensorboard() -> bool:
    """Whether TensorBoard logs can be written here."""
    return importlib.util.find_spec("tensorboard") is not None


class NoBoardError(ValueError):
    """TensorBoard logs were asked for and cannot be written."""


class Board:
    """TensorBoard logs from a step on, or nothing; what an earlier log says beyond it is void."""

    def __init__(self, folder: Path | None, step: int) -> None:
        self._writer: Any = None
        if folder is None:
            return
        if not has_tensorboard():
            raise NoBoardError(
                "TensorBoard logs need the package tensorboard: pip install tensorboard"
            )
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def __enter__(self) -> "Board":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: object, trace: types.TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Write some numbers at a step."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
