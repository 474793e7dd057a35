"""Write assets/studies/: the layers of the bound's lesson for the q of each of its scenes.

    python benchmarks/save_layers.py

The page opens on these at once; any other q is worked out by worker processes when asked for. The
numbers are those of ``iwae_core.evaluation.studies.layers``, to rounding (a test holds it).
"""

from iwae_core.evaluation.studies import layers, saved
from iwae_core.places import ASSETS


def main() -> None:
    folder = ASSETS / "studies"
    folder.mkdir(exist_ok=True)
    for name, scene in layers.SCENES.items():
        report = layers.run(layers.LayersConfig(**dict(scene.settings)))
        path = folder / f"layers_{name}.json"
        path.write_text(saved.to_json(report) + "\n", encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
