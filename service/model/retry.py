"""When a failed task runs again: the policies, and the delay after each failure.

The rule itself is SQL (functions/backoff_delay.sql), because retries are decided there; this is its mirror
for the decorator `@task`, which refuses what the database would refuse, and for showing what will happen.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from service.errors import Invalid

DEFAULT: Mapping[str, Any] = {"kind": "exponential"}
KINDS = ("none", "fixed", "list", "exponential")
LONGEST_SECONDS = 1e9
NUMBERS = ("seconds", "factor", "max_seconds", "jitter")
HINT = (
    '"exponential", "none", 30 (seconds, fixed), [2, 4] (the last one repeats), or an object such as '
    '{"kind": "exponential", "seconds": 1, "factor": 2, "max_seconds": 3600, "jitter": 0.1}.'
)

Backoff = str | float | Sequence[float] | Mapping[str, Any] | None


def policy(backoff: Backoff) -> dict[str, Any]:
    """A backoff in any of its short forms as the object that the database takes. Raises Invalid."""
    match backoff:
        case None:
            made: dict[str, Any] = dict(DEFAULT)
        case str():
            made = {"kind": backoff}
        case bool():
            raise _invalid(backoff)
        case int() | float():
            made = {"kind": "fixed", "seconds": backoff}
        case Mapping():
            made = dict(backoff)
        case _:
            made = {"kind": "list", "seconds": list(backoff)}
    if not is_valid(made):
        raise _invalid(backoff)
    return made


def is_valid(backoff: Mapping[str, Any]) -> bool:
    """Whether the database takes it, by the rules of functions/valid_backoff.sql."""
    kind, seconds = backoff.get("kind"), backoff.get("seconds")
    if kind not in KINDS or backoff.keys() - {"kind", *NUMBERS}:
        return False
    if kind == "list":
        return isinstance(seconds, list) and bool(seconds) and all(map(_is_duration, seconds))
    numbers = [value for name, value in backoff.items() if name != "kind"]
    return (
        all(map(_is_duration, numbers)) and backoff.get("jitter", 0) <= 1 and backoff.get("factor", 0) <= 1000
    )


def delay_seconds(backoff: Mapping[str, Any], failures: int, chance: float) -> float:
    """Seconds to wait after the n-th failure (from 1); `chance` is a random number in [0, 1)."""
    seconds = backoff.get("seconds")
    match backoff["kind"]:
        case "none":
            return 0.0
        case "fixed":
            return float(30 if seconds is None else seconds)
        case "list":
            assert isinstance(seconds, list)
            return float(seconds[min(failures, len(seconds)) - 1])
    grown = (1 if seconds is None else seconds) * backoff.get("factor", 2) ** (min(failures, 64) - 1)
    spread = 1 + backoff.get("jitter", 0.1) * (2 * chance - 1)
    return float(min(backoff.get("max_seconds", 3600), grown) * spread)


def _is_duration(value: object) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 <= value <= LONGEST_SECONDS  # type: ignore[operator]


def _invalid(backoff: object) -> Invalid:
    return Invalid(f"{backoff!r} is no backoff policy.", hint=f"Use {HINT}")
