"""What is read of an installation, as families of metrics for Prometheus.

Names follow its conventions: base units in the name, `_total` for counters. Labels are what an installation
has few of (types, queues, processes, schedules): never a task, a URL or a message.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)

from service import __version__
from service.store.readings import EventTotals, Reading

TASK_COUNTERS = {
    "enqueued": "Tasks enqueued",
    "started": "Attempts started",
    "completed": "Tasks completed",
    "retried": "Attempts that failed and are tried again",
    "failed": "Tasks failed for good",
    "timed_out": "Tasks whose last attempt ran out of time",
    "cancelled": "Tasks cancelled",
    "rescued": "Tasks taken from a worker that was lost",
}
EVENT_COUNTERS = {
    "webhook.requested": ("annals_webhooks_requested", "Webhooks to send"),
    "webhook.delivered": ("annals_webhooks_delivered", "Webhooks delivered"),
    "webhook.abandoned": ("annals_webhooks_abandoned", "Webhooks given up after their last attempt"),
    "webhook.skipped": ("annals_webhooks_skipped", "Webhooks not sent because their endpoint takes none"),
    "worker.started": ("annals_workers_started", "Worker processes that started"),
    "worker.lost": ("annals_workers_lost", "Worker processes given up for dead"),
    "schedule.fired": ("annals_schedules_fired", "Fires of schedules"),
    "follower.parked": ("annals_followers_parked", "Events that a follower failed on and stepped over"),
}
ATTEMPTS = {"webhook.delivered": "delivered", "webhook.attempt_failed": "failed"}
Label = TypeVar("Label", bound=tuple[str, ...])
COUNTED = " Counted by a follower: see annals_follower_lag_positions."


def families(reading: Reading) -> Iterator[Metric]:
    """All of them."""
    yield from _tasks(reading)
    yield from _queues(reading)
    yield from _fleet(reading)
    yield from _events(reading)
    yield from _webhooks(reading)
    yield from _relays(reading)
    yield from _log(reading)
    yield from _schedules(reading)
    yield from _retention(reading)
    build = {"version": __version__, "python": platform.python_version()}
    yield InfoMetricFamily(
        "annals_build", "Versions in use.", value=build | {"postgres": reading.log.server_version}
    )


def loop_lag(reading: Reading | None, own_seconds: float) -> Metric:
    """The lag of every event loop; without a database that of this process."""
    lags: dict[tuple[str, str], float] = {("api", ""): own_seconds}
    if reading:
        lags |= {("worker", each.worker_id): each.loop_lag_seconds for each in reading.workers}
        lags |= {("relay", each.relay_id): each.loop_lag_seconds for each in reading.relays}
    told = "Worst lag of an event loop since the last sign of life (of this API: since the last scrape)."
    return _gauge("annals_loop_lag_seconds", told, ("process", "id"), lags)


def _tasks(reading: Reading) -> Iterator[Metric]:
    for field, told in TASK_COUNTERS.items():
        counts = {(each.task_type,): getattr(each, field) for each in reading.tasks}
        yield _counter(f"annals_tasks_{field}", f"{told}.{COUNTED}", ("task_type",), counts)
    durations = {(each.task_type,): (each.durations, each.duration_ms) for each in reading.tasks}
    waits = {(each.task_type,): (each.waits, each.wait_ms) for each in reading.tasks}
    label = ("task_type",)
    yield _histogram(
        "annals_task_duration_seconds", "Run time of completed attempts.", label, durations, reading
    )
    yield _histogram("annals_task_wait_seconds", "Time between claimable and started.", label, waits, reading)


def _queues(reading: Reading) -> Iterator[Metric]:
    labels, queues = ("queue", "class"), reading.queues
    at_least = "; of each lane at least 2000 are told apart, and all while depth marks are near."
    claimable = {(each.queue, each.task_class): each.claimable for each in queues}
    waiting = {(each.queue, each.task_class): each.waiting for each in queues}
    running = {(each.queue, each.task_class): each.running for each in queues if each.running is not None}
    oldest = {(each.queue, each.task_class): each.oldest_seconds for each in queues}
    paused = {each.queue for each in reading.paused}
    is_paused = {(queue,): queue in paused for queue in sorted({each.queue for each in queues} | paused)}
    yield _gauge("annals_queue_claimable_tasks", f"Tasks that could start now{at_least}", labels, claimable)
    yield _gauge("annals_queue_waiting_tasks", f"Tasks that wait for their time{at_least}", labels, waiting)
    told = "Tasks that a worker holds; left out while depth marks are behind."
    yield _gauge("annals_queue_running_tasks", told, labels, running)
    told = "For how long the oldest claimable task could have started; 0 when there is none."
    yield _gauge("annals_queue_oldest_claimable_seconds", told, labels, oldest)
    yield _gauge("annals_queue_paused", "1 while nothing is claimed from the queue.", ("queue",), is_paused)


def _fleet(reading: Reading) -> Iterator[Metric]:
    workers, slots, busy = ({("live",): 0, ("silent",): 0} for _ in range(3))
    for each in reading.workers:
        state = ("silent" if each.silent else "live",)
        workers[state] += 1
        slots[state] += each.slots
        busy[state] += each.busy_slots
    told = "Worker processes not given up for dead; silent: three signs of life are missing."
    yield _gauge("annals_workers", told, ("state",), workers)
    yield _gauge("annals_worker_slots", "Tasks that they can run at once.", ("state",), slots)
    told = "Slots in use, as of their last signs of life."
    yield _gauge("annals_worker_busy_slots", told, ("state",), busy)
    longest = max((each.working_seconds or 0.0 for each in reading.workers), default=0.0)
    yield _gauge("annals_longest_running_task_seconds", "For how long it runs.", (), {(): longest})


def _events(reading: Reading) -> Iterator[Metric]:
    found = {each.type: each.events for each in reading.events}
    for event_type, (name, told) in EVENT_COUNTERS.items():
        yield _counter(name, f"{told}.{COUNTED}", (), {(): found.get(event_type, 0)})


def _webhooks(reading: Reading) -> Iterator[Metric]:
    nothing = EventTotals("", 0, 0.0, [])
    found = {each.type: each for each in reading.events}
    attempts = {(outcome,): found.get(of, nothing) for of, outcome in ATTEMPTS.items()}
    counts = {label: each.events for label, each in attempts.items()}
    yield _counter("annals_webhook_attempts", f"Attempts to deliver.{COUNTED}", ("outcome",), counts)
    latencies = {label: (each.latencies, each.latency_ms) for label, each in attempts.items()}
    yield _histogram(
        "annals_webhook_latency_seconds", "Time that attempts took.", ("outcome",), latencies, reading
    )
    told = "Webhooks that wait to be sent, or sent again; counted up to 2000."
    yield _gauge("annals_webhooks_open", told, (), {(): reading.open_deliveries})
    told = "Age of the oldest of them."
    yield _gauge("annals_webhooks_oldest_open_seconds", told, (), {(): reading.oldest_delivery_seconds})
    endpoints = {("paused",): 0, ("disabled",): 0}
    for each in reading.endpoints:
        endpoints[(each.status,)] += 1
    yield _gauge("annals_webhook_endpoints", "Endpoints to which nothing goes.", ("status",), endpoints)


def _relays(reading: Reading) -> Iterator[Metric]:
    states = {("leads",): 0, ("stands_by",): 0, ("silent",): 0}
    for relay in reading.relays:
        states[("leads" if relay.leads else "silent" if relay.silent else "stands_by",)] += 1
    leads = states[("leads",)]
    yield _gauge("annals_relay_leader", "1 while a relay leads.", (), {(): leads})
    yield _gauge("annals_relay_term", "Counts the take-overs.", (), {(): reading.term})
    yield _gauge("annals_relays", "Relay processes.", ("state",), states)
    label, rows = ("follower",), reading.followers
    positions = {(each.name,): each.position for each in rows}
    behind = {(each.name,): each.lag_positions for each in rows}
    seconds = {(each.name,): each.lag_seconds for each in rows}
    parked = {(each.name,): each.parked for each in rows}
    yield _gauge("annals_follower_position", "Everything up to here is done.", label, positions)
    yield _gauge("annals_follower_lag_positions", "Positions up to the settled end.", label, behind)
    yield _gauge("annals_follower_lag_seconds", "Age of the oldest event not done.", label, seconds)
    yield _gauge("annals_follower_parked_events", "Events to be resumed or given up.", label, parked)


def _log(reading: Reading) -> Iterator[Metric]:
    log = reading.log
    yield _gauge("annals_log_position", "Highest committed position.", (), {(): log.head})
    yield _gauge("annals_log_settled_position", "Settled up to here.", (), {(): log.settled})
    told = "Depths of the past are counted up to here."
    yield _gauge("annals_log_marked_position", told, (), {(): log.marked})
    yield _gauge("annals_log_bytes", "Size of the log with its indexes.", (), {(): log.bytes})
    told = "Age of the oldest open transaction that has appended: it holds every follower."
    yield _gauge("annals_log_open_append_seconds", told, (), {(): log.held_seconds})


def _retention(reading: Reading) -> Iterator[Metric]:
    removed = {(each.what,): each.removed for each in reading.retention}
    yield _counter("annals_retention_removed", "Rows removed.", ("what",), removed)
    last = {(each.what,): each.last_seconds for each in reading.retention}
    yield _gauge("annals_retention_last_removal_seconds", "Age of the last removal.", ("what",), last)


def _schedules(reading: Reading) -> Iterator[Metric]:
    label, rows = ("schedule",), reading.schedules
    fired = {(each.name,): each.last_fired_seconds for each in rows if each.last_fired_seconds is not None}
    yield _gauge("annals_schedule_last_fired_seconds", "Age of the last fire.", label, fired)
    told = "For how long it should have fired already."
    yield _gauge(
        "annals_schedule_overdue_seconds", told, label, {(each.name,): each.overdue_seconds for each in rows}
    )
    yield _gauge(
        "annals_schedule_enabled", "1: it fires.", label, {(each.name,): each.enabled for each in rows}
    )


def _counter(name: str, told: str, labels: Iterable[str], values: Mapping[Label, float]) -> Metric:
    family = CounterMetricFamily(name, told, labels=list(labels))
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family


def _gauge(name: str, told: str, labels: Iterable[str], values: Mapping[Label, float]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=list(labels))
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family


def _histogram(
    name: str,
    told: str,
    labels: Iterable[str],
    values: Mapping[Label, tuple[Sequence[int], float]],
    reading: Reading,
) -> Metric:
    """Buckets of counts, each by itself, as cumulative ones; milliseconds as seconds."""
    bounds = [*(str(bound / 1000) for bound in reading.bounds), "+Inf"]
    family = HistogramMetricFamily(name, f"{told}{COUNTED}", labels=list(labels))
    for key, (counts, sum_ms) in values.items():
        total, buckets = 0, []
        for bound, count in zip(bounds, counts or [0] * len(bounds), strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric(list(key), buckets, sum_ms / 1000)
    return family
