"""The example in the header of every SQL file can be pasted into psql, and runs."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.resources import migrations_dir

FILES = sorted([*migrations_dir().glob("functions/*.sql"), *migrations_dir().glob("views/*.sql")])
# What an example takes for granted beyond the scene.
BEFORE = {
    "retry_task": "SELECT fail_task('task-100000001', 2, 'no', retry => false)",
    "retry_tasks": "SELECT fail_task('task-100000001', 2, 'no', retry => false)",
    "revoke_key": "SELECT create_key('ci', sha256('secret'), '{read}')",
}


def example(path: Path) -> str:
    """The indented lines of a header, without the comment marks."""
    header = re.split(r"^CREATE ", path.read_text(), maxsplit=1, flags=re.MULTILINE)[0]
    return "\n".join(line.removeprefix("--   ") for line in header.splitlines() if line.startswith("--   "))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_example_runs(connection: psycopg.Connection[Any], path: Path) -> None:
    text = example(path)
    assert text, "a SQL file opens with a call that can be pasted"
    text = text.replace("ALTER DATABASE annals ", f'ALTER DATABASE "{connection.info.dbname}" ')
    if text.startswith("BEGIN"):
        connection.execute(text.encode())
        return
    with connection.transaction(force_rollback=True):
        connection.execute(BEFORE.get(path.stem, "SELECT 1").encode())
        if "search_path = shadow" in text:
            connection.execute("SET LOCAL search_path = shadow, public")
        if "-- ERROR:" in text:
            with pytest.raises(psycopg.Error, match=text.split("-- ERROR:")[1].strip()):
                connection.execute(text.encode())
        else:
            connection.execute(text.encode())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_holds_the_object_of_its_name(path: Path) -> None:
    created = re.findall(r"^CREATE (?:FUNCTION|VIEW|AGGREGATE) (\w+)", path.read_text(), flags=re.MULTILINE)
    assert created and set(created) == {path.stem}, "one object, or the overloads of one name"
