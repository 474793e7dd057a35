"""Burda et al.'s table 1 (2016), and ours beside it; for burda_table.py."""

# dataset, objective -> (layers, K) -> (-L_5000 in nats on 10,000 test images, active units).
PUBLISHED = {
    ("mnist", "elbo"): {
        (1, 1): (86.76, "19"),
        (1, 5): (86.47, "20"),
        (1, 50): (86.35, "20"),
        (2, 1): (85.33, "16+5"),
        (2, 5): (85.01, "17+5"),
        (2, 50): (84.78, "17+5"),
    },
    ("mnist", "iwae"): {
        (1, 1): (86.76, "19"),
        (1, 5): (85.54, "22"),
        (1, 50): (84.78, "25"),
        (2, 1): (85.33, "16+5"),
        (2, 5): (83.89, "21+5"),
        (2, 50): (82.90, "26+7"),
    },
    ("mnist_fixed", "elbo"): {
        (1, 1): (88.71, "19"),
        (1, 5): (88.83, "19"),
        (1, 50): (89.05, "20"),
        (2, 1): (88.08, "16+5"),
        (2, 5): (87.63, "17+5"),
        (2, 50): (87.86, "17+6"),
    },
    ("mnist_fixed", "iwae"): {
        (1, 1): (88.71, "19"),
        (1, 5): (87.63, "22"),
        (1, 50): (87.10, "24"),
        (2, 1): (88.08, "16+5"),
        (2, 5): (86.17, "21+5"),
        (2, 50): (85.32, "24+7"),
    },
}


def as_markdown(results: list[dict[str, object]]) -> str:
    """The table for people; each data set by itself."""
    head = (
        "| layers | K | objective | published NLL (active) | ours NLL ± s.e. (active) | images "
        "| epochs of 3,280 | images/s | share in products |\n" + "|---" * 9 + "|\n"
    )
    parts = []
    for dataset in dict.fromkeys(result["dataset"] for result in results):
        rows = []
        for r in results:
            if r["dataset"] == dataset:
                known = r["published_nll"] is not None
                theirs = f"{r['published_nll']:.2f} ({r['published_active']})" if known else "-"
                ours = f"{r['nll']:.2f} ± {r['std_error']:.2f} ({r['active']})"
                rows.append(
                    f"| {r['layers']} | {r['K']} | {r['objective']} | {theirs} | {ours} "
                    f"| {r['images']} | {r['epochs']} | {r['images_per_second']} "
                    f"| {r['share_in_products']:.2f} |\n"
                )
        parts.append(f"## {dataset}\n\n{head}{''.join(rows)}")
    return "\n".join(parts)
