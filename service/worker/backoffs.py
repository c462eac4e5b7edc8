"""Short forms of a backoff policy, for decorators and configuration."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.errors import Invalid

Backoff = Mapping[str, Any] | Sequence[float] | float | str | None
NAMES = ("none", "fixed", "exponential")


def as_policy(backoff: Backoff) -> dict[str, Any] | None:
    """The policy as the catalogue keeps it: 30 is fixed, [2, 4] a list, "none" or "exponential" by name.

    None stays None: the catalogue's default. A mapping is passed on; publishing checks it. Raises Invalid.
    """
    if backoff is None:
        return None
    if isinstance(backoff, Mapping):
        return dict(backoff)
    if isinstance(backoff, str):
        if backoff in NAMES:
            return {"kind": backoff}
    elif isinstance(backoff, bool):
        pass
    elif isinstance(backoff, (int, float)):
        if backoff >= 0:
            return {"kind": "fixed", "seconds": backoff}
    elif backoff and all(isinstance(pause, (int, float)) and pause >= 0 for pause in backoff):
        return {"kind": "list", "seconds": list(backoff)}
    raise Invalid(
        f"{backoff!r} is no backoff.",
        hint='Give seconds, a list of seconds, "exponential", "none" or a policy.',
    )
