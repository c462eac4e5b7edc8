"""What handlers reach the world with: one container, filled by the composition root."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.settings import Settings

if TYPE_CHECKING:
    from service.store.pool import Database
    from service.store.tasks import TaskStore
    from service.store.wakeups import Doorbell, Wakeups


@dataclass(frozen=True)
class Services:
    """Open for as long as the application runs. Subjects build their own reads on `db`."""

    settings: Settings
    db: "Database"
    tasks: "TaskStore"
    wakeups: "Wakeups"
    doorbell: "Doorbell"
