"""What the figures were measured on: without it they mean nothing."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path

GIB = 2**30


def machine() -> str:
    """Processors, memory, system and Python, in one line."""
    parts = [f"{processors()} processors", f"{memory_bytes() / GIB:.1f} GiB"]
    return ", ".join([*parts, platform.platform(terse=True), f"Python {platform.python_version()}"])


def server(settings: Iterable[tuple[str, str]]) -> str:
    """PostgreSQL's version and what a commit costs there, in one line."""
    values = dict(settings)
    version = values.pop("server_version")
    return f"PostgreSQL {version}, " + ", ".join(f"{name} {value}" for name, value in values.items())


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """The memory of the machine, or of the container when that has less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total
