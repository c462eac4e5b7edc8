"""What goes over the wire between the service and PostgreSQL, counted message by message."""

from collections import Counter
from pathlib import Path

from tests.chaos.proxy import Ear, Proxy

LENGTH = 4


class Messages:
    """Splits one direction of one connection into messages, and counts those by their letter."""

    def __init__(self, counts: Counter[str], *, is_client: bool) -> None:
        """The first message of a client, which names the database, has no letter."""
        self._counts, self._rest = counts, bytearray()
        self._letter = 0 if is_client else 1

    def __call__(self, chunk: bytes) -> None:
        """Hear some more bytes."""
        self._rest += chunk
        while len(self._rest) >= self._letter + LENGTH:
            end = self._letter + int.from_bytes(self._rest[self._letter : self._letter + LENGTH])
            if len(self._rest) < end:
                return
            if self._letter:
                self._counts[chr(self._rest[0])] += 1
            self._letter = 1
            del self._rest[:end]


class Meter(Proxy):
    """A relay that counts: what clients asked to be executed, and how often they were answered."""

    def __init__(self, dsn: str, folder: Path) -> None:
        super().__init__(dsn, folder)
        self._asked: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()

    def ears(self) -> tuple[Ear, Ear]:
        """Both directions, counted over all connections together."""
        return Messages(self._asked, is_client=True), Messages(self._answered, is_client=False)

    @property
    def statements(self) -> int:
        """Executed so far: Execute of the extended protocol, Query of the simple one."""
        return self._asked["E"] + self._asked["Q"]

    @property
    def round_trips(self) -> int:
        """How often a client waited for ReadyForQuery so far."""
        return self._answered["Z"]
