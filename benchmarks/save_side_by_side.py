"""Write assets/evidence/side_by_side.json: what the two smallest scripts give at their defaults.

    python benchmarks/save_side_by_side.py

The page "Side by side in code" opens on these numbers; its button runs the same scripts again.
"""

import time

from iwae_core.evaluation.studies import saved, side_by_side
from iwae_core.places import ASSETS


def main() -> None:
    started = time.process_time()
    report = side_by_side.run(side_by_side.SideBySideConfig())
    path = ASSETS / "evidence" / "side_by_side.json"
    path.write_text(saved.to_json(report) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes, {time.process_time() - started:.0f} CPU s")
    print(f"L_64 gains {report.gain:.4f} +- {report.gain_error:.4f} nats by the IWAE")


if __name__ == "__main__":
    main()
