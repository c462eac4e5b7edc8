"""Who a worker is: one run of one process.

The id is short because it stands in every event of every task; host and pid are in worker.started.
"""

import os
import secrets
import socket


class Identity:
    """The worker's id. A worker that was given up for dead goes on under a new one."""

    def __init__(self) -> None:
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self.worker_id = ""
        self.renew()

    def __call__(self) -> str:
        """The id in force."""
        return self.worker_id

    @property
    def actor(self) -> str:
        """As events name it."""
        return f"worker:{self.worker_id}"

    def renew(self) -> None:
        """Be another worker from now on."""
        self.worker_id = f"w-{secrets.token_hex(5)}"
