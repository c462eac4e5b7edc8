"""Random histories fold to the same rows in SQL, in the reference fold, and again in the shadow."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from tests.model.concurrency import settle_at_once
from tests.model.database import FREE_COLUMNS, READ_MODELS, Session, assert_folds_agree, session
from tests.model.history import Operation, programs, run
from tests.model.world import TYPES, World

EXAMPLES = 1000 if os.environ.get("ANNALS_MODEL") == "long" else 30


@pytest.fixture(scope="module")
def world_session(shared_database: str) -> Iterator[Session]:
    with session(shared_database) as s, s.connection.transaction(force_rollback=True):
        s.call("publish_task_types", types=TYPES)
        settle_at_once(s)
        yield s


@given(program=programs)
@settings(max_examples=EXAMPLES)
def test_a_history_folds_to_the_same_rows_everywhere(
    world_session: Session, program: list[Operation]
) -> None:
    with world_session.connection.transaction(force_rollback=True):
        world = World(world_session)
        world.prepare()
        run(world, program)
        assert_folds_agree(world_session)


@given(program=programs)
@settings(max_examples=EXAMPLES // 3)
def test_the_whole_log_in_one_statement_folds_to_the_same_rows(
    world_session: Session, program: list[Operation]
) -> None:
    """Several events of one stream in one statement fold in rounds; one statement must be as good as many."""
    s = world_session
    with s.connection.transaction(force_rollback=True):
        world = World(s)
        world.prepare()
        run(world, program)
        s.value("SELECT empty_shadow()")
        s.rows("SET LOCAL search_path = shadow, public")
        s.rows("INSERT INTO shadow.events SELECT * FROM public.events ORDER BY position")
        for name in READ_MODELS.keys() - FREE_COLUMNS.keys():
            for one, other in (("public", "shadow"), ("shadow", "public")):
                assert s.rows(f"SELECT * FROM {one}.{name} EXCEPT SELECT * FROM {other}.{name}") == [], name
