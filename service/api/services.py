"""What handlers reach the world with: one container, filled by `build_app`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.settings import Settings

if TYPE_CHECKING:
    from service.api.auth import Authenticator
    from service.api.enqueuer import Enqueuer
    from service.api.feed import Feed
    from service.api.log_reads import Log
    from service.api.metrics import Metrics
    from service.api.schema import SchemaCheck
    from service.store.doorbell import Doorbell
    from service.store.fleet import FleetStore
    from service.store.pool import Database
    from service.store.status import StatusStore
    from service.store.tasks import TaskStore
    from service.store.wakeups import Wakeups
    from service.watchdog import Watchdog


@dataclass(frozen=True)
class Services:
    """Open for as long as the application runs. Subjects build their own reads and writes on `db`."""

    settings: Settings
    db: "Database"
    wakeups: "Wakeups"
    doorbell: "Doorbell"
    tasks: "TaskStore"
    log: "Log"
    fleet: "FleetStore"
    authenticator: "Authenticator"
    enqueuer: "Enqueuer"
    feed: "Feed"
    schema: "SchemaCheck"
    watchdog: "Watchdog"
    status: "StatusStore"
    metrics: "Metrics"
