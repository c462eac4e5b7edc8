"""Points at which a test can wait for what a process does; nothing happens there until a test asks."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Probe(Generic[T]):
    """Something that happens again and again, such as a claim."""

    def __init__(self) -> None:
        self._seen: asyncio.Queue[T] | None = None

    def watch(self) -> "asyncio.Queue[T]":
        """From now on, keep what happens: await `.get()` on the queue."""
        self._seen = self._seen or asyncio.Queue()
        return self._seen

    def emit(self, value: T) -> None:
        """It happened."""
        if self._seen is not None:
            self._seen.put_nowait(value)
