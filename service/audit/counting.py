"""Counting the log on, so that how many tasks were in which status is known near every position."""

import asyncio
from contextlib import nullcontext

from service.audit.running import progress_bar
from service.cli import Context
from service.store.travel import PastStore

# So many events are read on the way without being counted first.
BRIEF = 100_000
WORDS = "counting the log, once"


async def count_log(context: Context, past: PastStore, position: int, stop: asyncio.Event) -> bool:
    """Count the log up to the position where nobody has yet; False when that was interrupted."""
    reached, before = await past.extend_depth_marks(), -1
    is_long = position - reached > BRIEF
    with progress_bar(context, WORDS, position) if is_long else nullcontext(_silent) as tell:
        # Another process that counts at the moment is not waited for: the rest is then read on the way.
        while before < reached < position and not stop.is_set():
            tell(reached, WORDS)
            before, reached = reached, await past.extend_depth_marks()
    return not stop.is_set()


def _silent(_: int, __: str) -> None:
    """Instead of a bar, for what is done before anybody could see it."""
