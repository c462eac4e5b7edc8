"""`annals psql` at a terminal: a prompt that warns, questions by name, and one's own ~/.psqlrc on top."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from service.store import psql, psqlrc

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0
BANNER = "Questions to ask"
PROGRAMS = [psql.find(), *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/psql")))]
Environment = dict[str, str]
Opened = Callable[..., "Terminal"]


class Terminal:
    """A program on a terminal of its own, read until it says what is waited for."""

    def __init__(self, command: list[str], environment: Environment) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(ROOT)
            os.execvpe(command[0], command, environment)
        self.prompt = self.read_to_prompt()

    def read_to_prompt(self) -> str:
        """Everything up to the next prompt, and the prompt."""
        said, deadline = "", time.monotonic() + PATIENCE
        while not re.search(r"[=!*?(-][#>] $", said):
            ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no prompt after {said!r}"
            said += os.read(self._fd, 65536).decode()
        return said

    def ask(self, line: str) -> str:
        os.write(self._fd, f"{line}\n".encode())
        return self.read_to_prompt()

    def close(self) -> None:
        os.write(self._fd, b"\\q\n")
        while True:
            try:
                if not os.read(self._fd, 65536):
                    break
            except OSError:  # how Linux tells that the other side is gone
                break
        os.waitpid(self._pid, 0)
        os.close(self._fd)


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.split("/")[-3])
def home(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Environment:
    """The environment of somebody with an empty home, a task, and one psql or another."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("""SELECT publish_task_types('[{"task_type": "noop"}]')""")
        db.execute("SELECT enqueue_task('noop', task_id => 'task-a', at => now() - interval '1 day')")
    changed = {"DATABASE_URL": database, "HOME": str(tmp_path), "PG_BIN": str(Path(request.param).parent)}
    changed |= {
        "ANNALS_ENV": "test",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PAGER": "cat",
        "PYTHONPATH": str(ROOT),
    }
    return {name: value for name, value in os.environ.items() if name != "PSQLRC"} | changed


@pytest.fixture
def opened(home: Environment) -> Iterator[Opened]:
    """Opens terminals with `annals psql`, and closes them."""
    terminals = []

    def run(*arguments: str) -> Terminal:
        terminals.append(Terminal([sys.executable, "-m", "service", "psql", *arguments], home))
        return terminals[-1]

    yield run
    for terminal in terminals:
        terminal.close()


def piped(home: Environment, *arguments: str, given: str = "") -> str:
    command = [sys.executable, "-m", "service", "psql", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=home, input=given, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_it_greets_once_and_answers_by_name(opened: Opened) -> None:
    terminal = opened()
    assert terminal.prompt.count(BANNER) == 1
    asked = terminal.ask(":stuck")
    assert "task-a" in asked and "no live worker serves" in asked
    assert re.search(r"Time: [\d.]+ ms", asked)
    assert BANNER not in asked


def test_help_lists_every_question_and_what_it_needs(opened: Opened) -> None:
    said = opened().ask(":help")
    for name in psqlrc.QUESTIONS.texts:
        assert re.search(rf"^  :{name} +[A-Z].*\?", said, re.MULTILINE), name
    assert re.search(r"^  :life .*\\set task", said, re.MULTILINE)


def test_a_question_takes_its_subject_from_a_variable(opened: Opened) -> None:
    terminal = opened()
    assert "(0 rows)" in terminal.ask(":life")
    terminal.ask("\\set task task-a")
    assert "task.enqueued" in terminal.ask(":life")
    assert "(0 rows)" in terminal.ask(":subjects")
    assert "now() - s.since" in terminal.ask("\\echo :stuck")


def test_the_prompt_shows_database_and_open_transaction(opened: Opened, home: Environment) -> None:
    name = re.search(r"/([^/?]+)(\?|$)", home["DATABASE_URL"])
    terminal = opened()
    assert name

    def marked(said: str) -> str:
        found = re.search(rf"\w+@{name[1]}(.?)=[#>] $", said)
        assert found, said
        return found[1]

    assert marked(terminal.prompt) == ""
    assert marked(terminal.ask("BEGIN;")) == "*"
    assert marked(terminal.ask("SELECT nonsense;")) == "!"
    assert marked(terminal.ask("ROLLBACK;")) == ""
    assert "(null)" in terminal.ask("SELECT NULL;")


def test_ones_own_start_file_has_the_last_word(opened: Opened, home: Environment) -> None:
    Path(home["HOME"], ".psqlrc").write_text(
        "\\pset null mine\n\\set PROMPT1 'mine=# '\n\\set stuck 'SELECT 7;'\n"
    )
    terminal = opened()
    assert terminal.prompt.endswith("mine=# ")
    assert "mine" in terminal.ask("SELECT NULL;").split("SELECT NULL;")[1].split("mine=#")[0]
    assert " 7" in terminal.ask(":stuck")
    assert "enqueued" in terminal.ask(":throughput")


def test_the_start_file_of_the_version_comes_before_the_general_one(
    opened: Opened, home: Environment
) -> None:
    Path(home["HOME"], ".psqlrc").write_text("\\set PROMPT1 'any=# '\n")
    told = subprocess.run([f"{home['PG_BIN']}/psql", "--version"], capture_output=True, text=True).stdout
    major = re.search(r"\d+", told)
    assert major
    Path(home["HOME"], f".psqlrc-{major[0]}").write_text("\\set PROMPT1 'major=# '\n")
    assert opened().prompt.endswith("major=# ")


def test_quiet_leaves_out_the_greeting_and_no_start_file_everything(opened: Opened) -> None:
    quiet = opened("-q")
    assert BANNER not in quiet.prompt
    assert "task-a" in quiet.ask(":stuck")
    bare = opened("-X")
    assert BANNER not in bare.prompt
    assert "syntax error" in bare.ask(":stuck;")


def test_what_is_no_conversation_prints_only_what_was_asked_for(home: Environment) -> None:
    assert piped(home, "-At", "-c", "SELECT 1") == "1\n"
    assert piped(home, "-At", given=":oldest\n").startswith("default|task-a|noop|5|1 day")
    assert piped(home, "-At", given="SELECT NULL;\n") == "\n"


def test_the_printed_file_serves_a_psql_that_is_started_by_hand(home: Environment, tmp_path: Path) -> None:
    (tmp_path / "annals.psqlrc").write_text(piped(home, "--print-rc"))
    given = f"\\i {tmp_path}/annals.psqlrc\n\\timing off\n\\t on\n\\a\n:oldest\n"
    command = [f"{home['PG_BIN']}/psql", "-X", home["DATABASE_URL"]]
    done = subprocess.run(command, env=home, input=given, capture_output=True, text=True, timeout=30)
    assert done.stderr == "" and BANNER in done.stdout
    assert "default|task-a|noop|5|1 day" in done.stdout


def test_nothing_is_left_behind(home: Environment, tmp_path: Path) -> None:
    piped(home | {"TMPDIR": str(tmp_path)}, "-c", "SELECT 1")
    assert list(tmp_path.glob("annals-psql-*")) == []


@pytest.mark.parametrize(
    ("arguments", "talks"),
    [
        ([], True),
        (["-q", "-At", "--set=x=1", "-P", "null=c"], True),
        (["-c", "SELECT 1"], False),
        (["-Atc", "SELECT 1"], False),
        (["--csv", "--file=x.sql"], False),
        (["--li"], False),
        (["--nonsense"], False),
    ],
)
def test_a_conversation_is_recognised_by_the_options(arguments: list[str], talks: bool) -> None:
    assert psqlrc.is_conversation(arguments) is talks
