"""Write the reports that *Gradients* opens with: ``python -m iwae_core.ui.gradients_ship``.

Run it after a study has changed; tests hold the shipped reports to fresh ones.
"""

from typing import Any

from iwae_core.evaluation.studies import backward_cost, fans, saved, snr
from iwae_core.evaluation.studies.backward_cost import BackwardCostConfig
from iwae_core.evaluation.studies.fans import FansConfig
from iwae_core.evaluation.studies.snr import SnrConfig
from iwae_core.places import ASSETS


def main() -> None:
    """Work out every shipped report, and write it to ``assets/studies``."""
    start = FansConfig()
    _write("fans", fans.sweep(start.shift, start.scale, start.seed))
    for name, scene in snr.SCENES.items():
        _write(f"snr_{name}", snr.run(SnrConfig(**_settings(scene))))
    for name, scene in backward_cost.SCENES.items():
        _write(f"backward_{name}", backward_cost.run(BackwardCostConfig(**_settings(scene))))


def _settings(scene: Any) -> dict[str, Any]:
    return dict(scene.settings)


def _write(name: str, report: object) -> None:
    path = ASSETS / "studies" / f"gradients_{name}.json"
    path.write_text(saved.to_json(report) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
