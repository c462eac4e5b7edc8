"""How many attempts may run at once, and when it is worth asking for more."""

import asyncio
from collections.abc import Mapping

# With this share of the slots free, a claim is made at once; before that, slots that become free one by
# one are given a moment to become several: a claim costs a round trip, however many tasks it brings.
WORTHWHILE_SHARE = 4
TRICKLE_SECONDS = 0.002


class Slots:
    """Free places of a process: in all, and for each way of running (async, thread, process)."""

    def __init__(self, total: int, limits: Mapping[str, int]) -> None:
        self.total = total
        self._free = total
        self._limits = dict(limits)
        self._free_by_kind = dict(limits)
        self._worthwhile = {kind: max(1, min(total, n) // WORTHWHILE_SHARE) for kind, n in limits.items()}
        self._changed = asyncio.Event()
        self._wanted = 0

    @property
    def busy(self) -> int:
        """Places taken, also by abandoned attempts that do not return."""
        return self.total - self._free

    def free(self, kind: str) -> int:
        """Places a claim for this kind may fill."""
        return max(0, min(self._free, self._free_by_kind[kind]))

    def take(self, kind: str, count: int) -> None:
        """Occupy places; done before the claim, so that two claimers never fill the same one."""
        self._free -= count
        self._free_by_kind[kind] -= count

    def give(self, kind: str, count: int = 1) -> None:
        """Return places."""
        self._free += count
        self._free_by_kind[kind] += count
        if self._wanted and self._free:
            self._changed.set()

    async def wait(self, kind: str) -> int:
        """Wait until a claim is worthwhile; gives the number of free places, at least one."""
        while not (free := self.free(kind)):
            await self._change()
        if free < self._worthwhile[kind]:
            try:
                async with asyncio.timeout(TRICKLE_SECONDS):
                    while self.free(kind) < self._worthwhile[kind]:
                        await self._change()
            except TimeoutError:
                pass
        return self.free(kind) or await self.wait(kind)

    async def _change(self) -> None:
        self._wanted += 1
        try:
            self._changed.clear()
            await self._changed.wait()
        finally:
            self._wanted -= 1
