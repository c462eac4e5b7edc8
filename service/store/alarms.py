"""What needs a person: the causes that `annals status` and its exit code name.

The same as the alerts of config/prometheus/annals.rules.yml, as far as one look at the present can tell.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from service.store.readings import LastHour, Reading

LONG_QUEUE = 1000
LAG_SECONDS = 60.0
LONG_RUN_SECONDS = 600.0
OPEN_APPEND_SECONDS = 60.0
OVERDUE_SECONDS = 60.0
LOST_WORKERS = 3
FAILED_TASKS, FAILED_WEBHOOKS = 0.1, 0.2
# Fewer say nothing about a rate.
ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Alarm:
    """One cause: its name, what is the case, and what to do or look at."""

    name: str
    text: str
    hint: str


def alarms(reading: Reading, hour: LastHour) -> list[Alarm]:
    """Every cause there is, the gravest first."""
    return [*_standstill(reading), *_delays(reading), *_failures(reading, hour)]


def _standstill(reading: Reading) -> Iterator[Alarm]:
    """What does not happen at all."""
    if not any(relay.leads for relay in reading.relays):
        yield Alarm("no_leader", "No relay leads: nothing is followed, sent or fired.", "annals relay")
    paused = {each.queue for each in reading.paused}
    ready = sum(each.claimable for each in reading.queues if each.queue not in paused)
    if ready and all(worker.silent for worker in reading.workers):
        yield Alarm(
            "no_worker", f"No worker lives, and {_number(ready, 'task')} could start.", "annals worker"
        )
    for follower in reading.followers:
        if follower.parked:
            events = _number(follower.parked, "parked event")
            hint = f"annals relay parked {follower.name}"
            yield Alarm("parked_events", f"Follower {follower.name} has {events}.", hint)
    for each in reading.endpoints:
        why = f": {each.reason}" if each.reason else ""
        told = f"Endpoint {each.endpoint} is {each.status}{why}."
        yield Alarm(f"endpoint_{each.status}", told, "annals webhooks endpoints")


def _delays(reading: Reading) -> Iterator[Alarm]:
    """What happens too late."""
    log = reading.log
    if log.held_seconds > OPEN_APPEND_SECONDS:
        told = f"Process {log.holder_pid} ({log.holder_role}) has an open append for {log.held_seconds:.0f} s"
        hint = f"annals psql -c 'SELECT pg_terminate_backend({log.holder_pid})'"
        yield Alarm("open_append", f"{told}: followers wait.", hint)
    for follower in reading.followers:
        if follower.lag_seconds > LAG_SECONDS:
            behind = f"{follower.lag_seconds:.0f} s and {_number(follower.lag_positions, 'position')}"
            told = f"Follower {follower.name} is {behind} behind."
            yield Alarm("follower_lag", told, "annals relay status")
    lengths: dict[str, int] = {}
    for queue in reading.queues:
        lengths[queue.queue] = lengths.get(queue.queue, 0) + queue.claimable
    for name, length in lengths.items():
        if length > LONG_QUEUE:
            told = f"{_number(length, 'task')} wait in queue {name} and could start."
            yield Alarm("long_queue", told, "annals tasks list --status pending")
    for worker in reading.workers:
        if (worker.working_seconds or 0) > LONG_RUN_SECONDS:
            told = f"Worker {worker.worker_id} runs a task for {worker.working_seconds or 0:.0f} s."
            yield Alarm("long_run", told, "annals tasks list --status running")
    for schedule in reading.schedules:
        if schedule.overdue_seconds > OVERDUE_SECONDS:
            told = f"Schedule {schedule.name} should have fired {schedule.overdue_seconds:.0f} s ago."
            yield Alarm("schedule_overdue", told, f"annals schedules show {schedule.name}")


def _failures(reading: Reading, hour: LastHour) -> Iterator[Alarm]:
    """What goes wrong too often."""
    since = f"since {hour.since:%H:%M} UTC"
    if hour.workers_lost > LOST_WORKERS:
        told = f"{_number(hour.workers_lost, 'worker')} were lost in ten minutes."
        yield Alarm("workers_lost", told, "psql: :lost")
    if _too_many(hour.failed, hour.completed + hour.failed, FAILED_TASKS):
        told = f"{hour.failed} of {hour.completed + hour.failed} tasks failed {since}."
        yield Alarm("tasks_fail", told, "annals errors")
    if _too_many(hour.failed_attempts, hour.delivered + hour.failed_attempts, FAILED_WEBHOOKS):
        all_attempts = hour.delivered + hour.failed_attempts
        told = f"{hour.failed_attempts} of {all_attempts} webhook attempts failed {since}."
        yield Alarm("webhooks_fail", told, "annals webhooks endpoints")


def _too_many(failed: int, ended: int, share: float) -> bool:
    return ended >= ENOUGH and failed > share * ended


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
