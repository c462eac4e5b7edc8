"""Random histories: programs of operations on a small world. Time is a clock of the world's own."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import strategies as st

from tests.model import agent_operations as agents
from tests.model import relay_operations as relays
from tests.model import webhook_operations as webhooks
from tests.model.operations import (
    attempts,
    cancel,
    claim,
    delete_agent,
    end,
    end_with_records,
    enqueue,
    enqueue_done,
    expire,
    key,
    pause,
    progress,
    renew,
    rescue,
    retry,
)
from tests.model.retention_operations import retain
from tests.model.world import World

Operation = tuple[str, int, int, int]

OPERATIONS: dict[str, Callable[[World, int, int, int], None]] = {
    "enqueue": enqueue,
    "enqueue_done": enqueue_done,
    "claim": claim,
    "end": end,
    "attempts": attempts,
    "end_with_records": end_with_records,
    "progress": progress,
    "cancel": cancel,
    "retry": retry,
    "rescue": rescue,
    "expire": expire,
    "renew": renew,
    "pause": pause,
    "key": key,
    "delete_agent": delete_agent,
    "create": agents.create,
    "change": agents.change,
    "ask": agents.ask,
    "refresh": agents.refresh,
    "measure": agents.measure,
    "delete": agents.delete,
    "schedule": relays.schedule,
    "fire": relays.fire,
    "disable": relays.disable,
    "park": relays.park,
    "resume": relays.resume,
    "retain": retain,
    "ask_webhooks": webhooks.ask,
    "attempt": webhooks.attempt,
    "send": webhooks.send,
    "send_again": webhooks.send_again,
    "endpoint": webhooks.endpoint,
    "rotate": webhooks.rotate,
}
# Claims and ends are what histories are made of; the rest disturbs them.
NAMES = [
    *OPERATIONS,
    "enqueue",
    *["claim", "end"] * 4,
    "retry",
    "retry",
    "attempts",
    "attempts",
    "refresh",
    "measure",
    "schedule",
    *["fire"] * 2,
    *["retain"] * 4,
    *["send"] * 2,
    *["attempt"] * 2,
]
programs = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 9), st.integers(0, 9), st.integers(0, 12)),
    min_size=25,
    max_size=50,
)


def run(world: World, program: list[Operation]) -> None:
    for name, a, b, c in program:
        world.now += timedelta(seconds=a * 7 + c / 1000 + 0.000001)
        OPERATIONS[name](world, a, b, c)
