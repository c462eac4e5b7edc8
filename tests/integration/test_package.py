"""The wheel carries everything: `annals` works from any directory, without the checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CARRIED = ("*.sql", "*.psqlrc", "*.mjs", "*.toml", "*.py", "py.typed", "*.html", "*.css", "*.js", "*.svg")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, built from a copy so that the checkout stays clean."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("service", "migrations", "config"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.py", source)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", ".", "."]
    result = subprocess.run(build, cwd=source, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (wheel,) = source.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(target)
    return target


def files(folder: Path) -> set[Path]:
    found = {path.relative_to(folder) for pattern in CARRIED for path in folder.rglob(pattern)}
    return {path for path in found if "__pycache__" not in path.parts}


def test_it_carries_the_package_whole(installed: Path) -> None:
    assert files(ROOT / "service") <= files(installed / "service")


def test_it_carries_the_migrations(installed: Path) -> None:
    assert files(ROOT / "migrations") == files(installed / "service" / "_migrations")


def test_it_runs_on_what_it_carries(installed: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANNALS_")}
    environment |= {"PYTHONPATH": str(installed), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "service", "config", "--json"]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    rows = {row["setting"]: row["value"] for row in map(json.loads, result.stdout.splitlines())}
    assert rows["home"] == str(tmp_path / ".local" / "share" / "annals")
    assert rows["worker.concurrency"] == 10


def test_it_knows_the_questions_to_psql(installed: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "service", "psql", "--print-rc"]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "\\set stuck 'SELECT" in result.stdout and "\\set PROMPT1" in result.stdout
