"""What is done now and then over a connection that nothing else uses."""

from typing import Protocol

from service.store.pool import Session


class Duty(Protocol):
    """Called every few seconds for as long as the connection holds."""

    async def look(self, session: Session) -> None:
        """Do it. Raises DatabaseUnavailable."""

    def interrupted(self) -> None:
        """The connection was lost since the last look."""
