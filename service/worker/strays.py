"""Tasks that the database believes we run, and we do not know.

A claim whose answer was lost with the connection has taken tasks all the same, and no one would rescue them
from a worker that lives. So a worker looks now and then at what is said to be its own, and releases what it
does not know. A claim that is on its way may explain such a task: it counts as a stray only when every claim
that was under way at the first look has been answered by the second.
"""

from collections.abc import Iterable, Mapping


class Strays:
    """What was unknown at the last look. Times are seconds of a monotonic clock, passed in."""

    def __init__(self) -> None:
        self._unknown: dict[tuple[str, int], float] = {}

    def look(
        self, now: float, running: Mapping[str, int], held: Mapping[str, int], claims: Iterable[float | None]
    ) -> list[tuple[str, int]]:
        """The (task_id, lease) that nobody will end.

        `running` is lease by task id as the database has it, `held` as we have it, both read before `now`;
        `claims` tells for each claimer when the claim that is on its way was sent, if one is.
        """
        oldest = min((since for since in claims if since is not None), default=now)
        seen = {
            item: self._unknown.get(item, now) for item in running.items() if held.get(item[0]) != item[1]
        }
        strays = [item for item, since in seen.items() if since < oldest]
        self._unknown = {item: since for item, since in seen.items() if item not in strays}
        return strays
