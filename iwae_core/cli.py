"""The ``iwae-lab`` command."""


def main() -> None:
    """Start the app."""
