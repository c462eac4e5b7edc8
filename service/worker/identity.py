"""Who a worker is: one run of one process."""

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
        self.worker_id = f"{self.host}-{self.pid}-{secrets.token_hex(3)}"
