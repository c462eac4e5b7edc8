"""Files beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

import pytest

from service import resources


def test_a_checkout_uses_its_own_files() -> None:
    assert resources.checkout() == Path(__file__).resolve().parents[2]
    assert (resources.config_dir() / "default.toml").is_file()


def test_an_installed_package_uses_what_it_carries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "service")
    assert resources.checkout() is None
    assert resources.migrations_dir() == tmp_path / "service" / "_migrations"
    assert resources.config_dir() == tmp_path / "service" / "_config"
