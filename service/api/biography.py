"""Routes of one task's past and present: its life from the log, and why it waits."""

from service.api.biography_models import (
    LIFE,
    WHY,
    Biography,
    FactsModel,
    LifeQuery,
    WhyModel,
    of_phase,
    of_step,
    of_why,
)
from service.api.routing import Request, Route
from service.api.task_models import TaskPath
from service.model.biography import birth_facts
from service.store.biography import BiographyStore
from service.store.travel import settle


async def biography(request: Request[None, LifeQuery, TaskPath]) -> Biography:
    """A task's life; also of a task whose row is gone."""
    store, wanted, task_id = BiographyStore(request.services.db), request.query, request.params.task_id
    until = None if wanted.until is None else await settle(request.services.db, wanted.until)
    steps = await store.history(task_id, until, after=wanted.after, limit=wanted.limit + 1)
    born = (await request.services.log.stream("task", task_id, 0, 1))[0]
    shown = steps[: wanted.limit]
    return Biography(
        task_id=task_id,
        facts=FactsModel(**birth_facts(born.data, born.correlation_id)),
        items=[of_step(step) for step in shown],
        next=shown[-1].position if len(steps) > wanted.limit else None,
        time_spent=[of_phase(phase) for phase in await store.time_spent(task_id, until)],
    )


async def why(request: Request[None, None, TaskPath]) -> WhyModel:
    """Why a task is not running, or what became of it."""
    return of_why(await BiographyStore(request.services.db).why(request.params.task_id))


PATH = "/api/v1/tasks/{task_id}"
ROUTES = [
    Route(
        "GET",
        f"{PATH}/biography",
        biography,
        summary="Tell the life of a task, and where its time went",
        description=(
            "Each event with who caused it, why, how long after the one before, the status after it and what "
            "it changed; from the log alone, so also of a task whose row is gone. `until` ends it at a "
            "position or a time: 422 for a position beyond the log, 409 for one that is not settled yet. "
            "Each page reads the life from its beginning (some 10,000 events a second): ask for large pages."
        ),
        tags=("tasks",),
        params=TaskPath,
        query=LifeQuery,
        response=Biography,
        errors=(404, 409),
        response_example=LIFE,
    ),
    Route(
        "GET",
        f"{PATH}/why",
        why,
        summary="Say why a task is not running, or what became of it",
        description=(
            "One sentence for a person, a reason and facts for a program: the first true cause, with all "
            "others in `facts.causes`."
        ),
        tags=("tasks",),
        params=TaskPath,
        response=WhyModel,
        errors=(404,),
        response_example=WHY,
    ),
]
