"""A guard against growing slow that no machine and no neighbour can disturb: it counts, and takes no time.

Statements, round trips, transactions, rows, index entries and bytes of write-ahead log for each step of a
task's life are held against tests/snapshots/costs.txt. The guard itself is tried on copies made dearer.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from service.store.tasks import TaskStore
from tests.costs.figures import moved
from tests.costs.lives import LIFE, STEPS
from tests.costs.measure import Office, at_hand, office
from tests.costs.snapshot import PATH, WRITE, committed, parse, render
from tests.embedded_holder import home_directory
from tests.sql.snapshots import is_writing

# The newest writes the snapshot that all are held against, and so comes first.
VERSIONS = at_hand()
NEWEST = max(VERSIONS)
HINT = f"Meant so? Write it down anew, and let a review see it: {WRITE}"
LIVED = [step for step in STEPS if step.name in LIFE]
INDEX = "CREATE INDEX one_too_many ON background_tasks (worker_id)"
SECOND_UPDATE = """
    CREATE FUNCTION fold_once_more() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE background_tasks t SET step = 'done' FROM appended e
        WHERE e.type = 'task.completed' AND t.task_id = e.stream_id;
        RETURN NULL;
    END $$;
    CREATE TRIGGER zz_fold_once_more AFTER INSERT ON events REFERENCING NEW TABLE AS appended
        FOR EACH STATEMENT EXECUTE FUNCTION fold_once_more();
"""


class AskingTwice(TaskStore):
    """A store whose claims send one more statement."""

    async def claim(self, *arguments: Any, **options: Any) -> Any:
        await self._db.fetchval("SELECT stable_position()")
        return await super().claim(*arguments, **options)


class Offices:
    """A server of each version, started when it is asked for."""

    def __init__(self, rooms: ExitStack) -> None:
        self._rooms, self._started = rooms, dict[int, Office]()

    def of(self, version: int) -> Office:
        if version not in self._started:
            home = self._rooms.enter_context(home_directory())
            self._started[version] = self._rooms.enter_context(office(VERSIONS[version], home))
        return self._started[version]


@pytest.fixture(scope="module")
def offices() -> Iterator[Offices]:
    with ExitStack() as rooms:
        yield Offices(rooms)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_task_costs_what_was_reviewed(offices: Offices, version: int) -> None:
    figures = await offices.of(version).measure()
    if is_writing() and version == NEWEST:
        PATH.write_text(render(figures))
    if lines := moved(committed(), figures):
        pytest.fail("\n".join([f"A task costs something else on PostgreSQL {version}:", *lines, HINT]))


async def test_what_is_written_down_is_read_back(offices: Offices) -> None:
    figures = await offices.of(NEWEST).measure(LIVED)
    assert not moved(parse(render(figures)), figures)


@pytest.mark.parametrize(
    ("change", "store", "told"),
    [
        (INDEX, TaskStore, ["claim: one_too_many: entries from 0 to 1", "a whole life: WAL bytes from"]),
        (SECOND_UPDATE, TaskStore, ["complete: background_tasks: rows updated from 1 to 2"]),
        (
            "",
            AskingTwice,
            ["claim: statements from 0.002 to 0.004", "claim: round trips from 0.002 to 0.004"],
        ),
    ],
    ids=["an index more", "a second update in a fold", "a statement more in a claim"],
)
async def test_it_tells_what_became_dearer(
    offices: Offices, change: str, store: type[TaskStore], told: list[str]
) -> None:
    here = offices.of(NEWEST)
    lines = moved(await here.measure(LIVED), await here.measure(LIVED, change, store))
    for beginning in told:
        assert any(line.startswith(beginning) for line in lines), lines
