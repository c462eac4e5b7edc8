"""The questions to psql: psql itself asks each about an hour that is known, and each stands on the page."""

import csv
import re
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import psycopg
import pytest

from service.store import psql
from tests.sql.office import build
from tests.sql.test_roles import as_role

QUESTIONS = Path(psql.__file__).parent / "questions"
FILES = sorted(QUESTIONS.glob("*.sql"))
PAGE = (QUESTIONS / "README.md").read_text()
ANSWERS = Path(__file__).with_name("answers.txt").read_text()
SUBJECTS = {"since": "1 hour", "task": "mail-3", "request": "req-1", "agent": "Kim"}
# Their answers depend on how the server stores things; what does not is asked for below.
SIZES = {"days", "sizes", "indexes"}


@pytest.fixture(scope="module")
def office(module_database: str) -> str:
    build(module_database)
    return module_database


def ask(dsn: str, name: str, **subjects: str) -> str:
    """What psql answers, as CSV, at a noon of the database's own."""
    given = [f"--set={variable}={value}" for variable, value in (SUBJECTS | subjects).items()]
    command = [
        psql.find(),
        "-X",
        "-q",
        "--csv",
        "--set=ON_ERROR_STOP=1",
        *given,
        "-f",
        str(QUESTIONS / f"{name}.sql"),
    ]
    environment = psql.environment(dsn) | {
        "PGOPTIONS": "-c search_path=pinned,public,pg_catalog",
        "PGTZ": "UTC",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def rows(answer: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(answer)))


def known_answers() -> Iterator[tuple[str, str]]:
    for group in re.split(r"^-- (?=\w+$)", ANSWERS, flags=re.MULTILINE)[1:]:
        name, answer = group.split("\n", 1)
        yield name, answer.strip()


def test_every_question_has_a_known_answer() -> None:
    assert {name for name, _ in known_answers()} | SIZES == {path.stem for path in FILES}
    assert len(FILES) >= 20


@pytest.mark.parametrize(("name", "answer"), list(known_answers()))
def test_the_answer_is_the_known_one(office: str, name: str, answer: str) -> None:
    assert re.sub(r"agent-coverage-[0-9a-f-]{36}", "agent-coverage-*", ask(office, name)) == answer


def test_days_count_what_each_day_added(office: str) -> None:
    days = {row["day"]: int(row["events"]) for row in rows(ask(office, "days"))}
    today, yesterday, before = list(days.values())[:3]
    assert list(days)[:2] == ["2026-03-02", "2026-03-01"] and len(days) == 7
    with psycopg.connect(office) as db:
        counted = "SELECT recorded_at::date::text, max(position) - min(position) + 1 FROM events GROUP BY 1"
        assert dict(db.execute("SET timezone = 'UTC'") and db.execute(counted.encode()).fetchall()) == {
            "2026-03-02": today,
            "2026-03-01": yesterday,
        }
    assert before == 0


def test_sizes_and_indexes_name_what_takes_room(office: str) -> None:
    tables = {row["table"]: row for row in rows(ask(office, "sizes"))}
    assert {"events", "background_tasks"} <= set(tables)
    assert all(re.fullmatch(r"\d+ (bytes|kB)", row["data"]) for row in tables.values())
    indexes = {row["index"]: row for row in rows(ask(office, "indexes"))}
    assert indexes["background_tasks_due"]["table"] == "background_tasks"
    assert indexes["background_tasks_due"]["what_for"].startswith("Claim")


def test_a_transaction_that_holds_the_followers_is_named(database: str) -> None:
    build(database)
    with psycopg.connect(database, application_name="lunch") as holder:
        (before,) = rows(ask(database, "held"))
        holder.execute("SELECT pause_queue('mail', 'lunch')")
        with psycopg.connect(database, autocommit=True) as other:
            other.execute("SELECT resume_queue('images')")
        (held,) = rows(ask(database, "held"))
        pid = str(holder.info.backend_pid)
        holder.rollback()
    assert (before["pid"], before["events_held"]) == ("", "0")
    assert (held["pid"], held["state"], held["events_held"]) == (pid, "idle in transaction", "1")
    assert held["query"].startswith("SELECT pause_queue")


def test_a_question_about_nothing_known_has_no_answer(office: str) -> None:
    for name in ("life", "beside", "chain", "coverage"):
        assert rows(ask(office, name, task="none", request="none", agent="none")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_reader_may_ask(office: str, path: Path) -> None:
    """The role that people on a shared server have; psql's variables are put in as psql does."""
    statement = re.sub(r":'(\w+)'", lambda variable: f"'{SUBJECTS[variable[1]]}'", path.read_text())
    with psycopg.connect(office) as db:
        assert as_role(db, "annals_reader", statement) is not None


def sections() -> Iterator[tuple[str, str, str, str]]:
    """(name, heading, SQL, the rest) of each question of the page."""
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        heading, body = section.split("\n", 1)
        found = re.match(r"\n`:(\w+)`[^\n]*\n\n```sql\n(.*?)```\n(.*)", body, flags=re.DOTALL)
        assert found, heading
        yield found[1], heading, found[2], found[3]


def test_the_page_shows_exactly_the_files() -> None:
    shown = {name: f"-- {heading}\n{sql}" for name, heading, sql, _ in sections()}
    assert shown == {path.stem: path.read_text() for path in FILES}


def test_each_question_of_the_page_has_an_answer_and_how_to_read_it() -> None:
    for name, _, _, rest in sections():
        assert re.match(r"\n```\n.+?\n```\n\n\S.*", rest, flags=re.DOTALL), name


def test_newest_first_reads_the_end_of_an_index_and_a_request_its_own(office: str) -> None:
    """With the other ways closed: that the views and questions say what the partial indexes are for."""
    plans = {
        "events_by_hand": "SELECT * FROM audit_log ORDER BY position DESC LIMIT 20",
        "events_of_request": "SELECT * FROM events WHERE type = 'task.enqueued' AND correlation_id = 'req-1'",
    }
    with psycopg.connect(office) as db:
        db.execute("SET LOCAL enable_seqscan = off")
        db.execute("SET LOCAL enable_sort = off")
        for index, statement in plans.items():
            plan = "\n".join(str(row[0]) for row in db.execute(f"EXPLAIN {statement}".encode()))
            assert index in plan and "Sort" not in plan, plan
