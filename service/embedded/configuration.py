"""The server's configuration: suited to a task queue on one machine, and durable.

Two files beside the data are written anew at each start: `annals.conf`, which reads the cluster's own
postgresql.conf first and a person's `local.conf` last, so that the latter wins, and `pg_hba.conf`. They are
not in the data directory because root must not write where the server's account could have put a link.
"""

from __future__ import annotations

import os
from pathlib import Path

from service.embedded import files

# Whoever reaches the socket is let in: its directory is private to the server's account and root.
HBA = """\
# TYPE  DATABASE     USER  ADDRESS       METHOD
local   all          all                 trust
local   replication  all                 trust
host    all          all   127.0.0.1/32  scram-sha-256
"""

SETTINGS = {
    "max_connections": "200",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "wal_buffers": "16MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "jit": "off",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_cost_delay": "1ms",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_lock_waits": "on",
}

LOCAL = "# Your own settings of PostgreSQL: they win over those of annals.conf, from the next start on.\n"

SMALLEST_BUFFERS_MB = 128
LARGEST_BUFFERS_MB = 1024


def write(base: Path, lz4: bool) -> Path:
    """Write both files into `base`; the path of the one to start with."""
    settings = SETTINGS | {
        "shared_buffers": f"{shared_buffers_mb(memory_bytes())}MB",
        "wal_compression": "lz4" if lz4 else "on",
    }
    lines = ["include 'data/postgresql.conf'", *(f"{name} = '{value}'" for name, value in settings.items())]
    lines.append("include 'local.conf'")
    if not (base / "local.conf").exists():
        files.replace(base / "local.conf", LOCAL, 0o644)
    files.replace(base / "pg_hba.conf", HBA, 0o644)
    files.replace(base / "annals.conf", "\n".join(lines) + "\n", 0o644)
    return base / "annals.conf"


def shared_buffers_mb(memory: int) -> int:
    """A sixteenth of the memory, within bounds: the service's own hot rows are few."""
    return max(SMALLEST_BUFFERS_MB, min(LARGEST_BUFFERS_MB, memory // 16 // 2**20))


def memory_bytes() -> int:
    """The machine's memory, or the control group's limit when that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):
        return total
    return min(total, limit)
