"""Where the files that are not Python lie: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """The root of the source tree this package runs from (also when installed as editable), else None."""
    root = PACKAGE.parent
    is_checkout = (root / "setup.py").is_file() and (root / "config" / "default.toml").is_file()
    return root if is_checkout else None


def migrations_dir() -> Path:
    """The directory of the numbered migrations, with functions/, views/ and grants/ below it."""
    root = checkout()
    return root / "migrations" if root else PACKAGE / "_migrations"


def config_dir() -> Path:
    """The directory of default.toml and environments/."""
    root = checkout()
    return root / "config" if root else PACKAGE / "_config"
