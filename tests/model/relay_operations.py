"""What happens to schedules and followers in a world."""

from datetime import timedelta
from typing import Any

from tests.model.world import World

CRONS = ("0 3 * * *", "*/5 * * * *", "30 2 * * MON-FRI")
ZONES = ("UTC", "Europe/Berlin")
FOLLOWER = "mail"


def schedule(world: World, a: int, b: int, c: int) -> None:
    """Create or change one of two schedules, by hand or as the configuration does."""
    definition: dict[str, Any] = {"cron": CRONS[b % 3], "task_type": ("noop", "other")[c % 2]}
    definition |= {"time_zone": ZONES[b % 2], "params": {"n": c, "none": None}, "enabled": c % 5 != 0}
    if b % 4 == 0:
        definition |= {"priority": 1 + b, "queue": "default", "missed_fires": "skip"}
    more = {"next_due_at": world.now + timedelta(hours=1)} if c % 2 else {}
    world.session.call(
        "set_schedule",
        name=f"s-{a % 2}",
        definition=definition,
        configured=a % 3 == 0,
        at=world.now,
        **more,
    )


def fire(world: World, a: int, b: int, c: int) -> None:
    """By hand, or for a due time that has come, has gone, or is yet to come."""
    schedules = world.session.read_model("schedules")
    name = f"s-{a % 2}"
    if name not in schedules:
        return
    asked: dict[str, Any] = {"name": name, "at": world.now}
    if b % 4:
        asked |= {"due_at": world.now + timedelta(seconds=b - 8), "missed": c % 3}
        asked |= {"next_due_at": world.now + timedelta(hours=1)} if c % 2 else {}
        asked |= {"version": schedules[name]["version"] - (c % 6 == 0)}
    world.session.call("fire_schedule", **asked)


def disable(world: World, a: int, b: int, _: int) -> None:
    name = f"s-{a % 2}"
    if b % 3 == 0 and name in world.session.read_model("schedules"):
        world.session.call("disable_schedule", name=name, unconfigured=b % 2 == 0, at=world.now)


def park(world: World, a: int, b: int, _: int) -> None:
    """A follower steps over an event; the same one again after it was rewound."""
    s = world.session
    (lead,) = s.call("lead_relay", relay_id="r-1", host="h", pid=1, lease_seconds=3600)
    term = lead["leads_term"] or s.value("SELECT term FROM relay_lease")
    (place,) = s.call("open_follower", name=FOLLOWER)
    if b % 3 == 0 and place["position"] > 0:
        s.call("rewind_follower", name=FOLLOWER, position=place["position"] - 1, effects=False)
        (place,) = s.call("open_follower", name=FOLLOWER)
    s.call(
        "park_event",
        name=FOLLOWER,
        expected=place["position"],
        position=place["position"] + 1 + a % 2,
        error=f"no {b}",
        relay_id="r-1",
        term=term,
        at=world.now,
    )


def resume(world: World, a: int, _: int, __: int) -> None:
    parked = sorted(world.session.read_model("parked_events"))
    if parked:
        name, position = parked[a % len(parked)]
        world.session.call("resume_event", name=name, position=position, reason="mended", at=world.now)
