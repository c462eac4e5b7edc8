"""Refuses effects outside by an audit hook: the network, other processes, writing elsewhere.

The hook hears every thread, and cannot be taken out again. What it refuses raises `Refused`, a
PermissionError, so that code which tries something optional (a cache file, a helper program) goes on as it
would on a machine that forbids it. Each refusal is noted in a file, so that one in a child process is known
as well.
"""

import fcntl
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Arguments = tuple[Any, ...]
Describe = Callable[["Rules", Arguments], str | None]

KINDS = ("network", "processes", "writes")
WORDS = {
    "network": "the network is",
    "processes": "another process is",
    "writes": "writing outside of the temporary directory is",
}
BARRED = {
    "network": "network",
    "processes": "other processes",
    "writes": "writing outside of a temporary directory",
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
DEVICES = {"/dev/null", "/dev/tty", "/dev/zero", "/dev/full"}
NO_DIRECTORY = -1


class Refused(PermissionError):
    """The handler tried something that would be felt outside."""

    def __str__(self) -> str:
        # An OSError that somebody gave a file name on its way shows that and its number instead.
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Rules:
    """What is allowed (of KINDS), where one may write, and how the command of our own children begins.

    `in_kernel` tells whether the kernel refuses the network too: where it does not, C code is not held back.
    """

    scratch: str
    allowed: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    in_kernel: bool = False

    @property
    def notes(self) -> Path:
        """The file that keeps what was refused, a line each."""
        return Path(self.scratch) / "refused"

    @property
    def barred(self) -> list[str]:
        """What there is not for the handler, in words."""
        words = BARRED if self.in_kernel else BARRED | {"network": "network for Python code (C code has it)"}
        return ["database", *(words[kind] for kind in KINDS if kind not in self.allowed)]


class Guard:
    """Refuses from its making on, until it is lowered."""

    def __init__(self, rules: Rules) -> None:
        self._rules, self._is_up = rules, True
        self._notes = os.open(rules.notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        sys.addaudithook(self._hear)

    def lower(self) -> None:
        """Nothing of the handler runs any more: let this process end as others do."""
        self._is_up = False

    def _hear(self, event: str, arguments: Arguments) -> None:
        found = EVENTS.get(event)
        if found is None or not self._is_up or found[0] in self._rules.allowed:
            return
        kind, describe = found
        if what := describe(self._rules, arguments):
            os.write(self._notes, f"{what}\n".encode(errors="backslashreplace"))
            raise Refused(f"{WORDS[kind]} refused in replay-local: {what}; --allow-{kind} to allow it")


def _address(address: Any) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"{_text(address[0])}:{address[1]}"
    return _text(address)


def _text(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _reaching(verb: str) -> Describe:
    """An event of (socket, address); None is a socket that is connected already."""
    return lambda _, given: None if given[1] is None else f"{verb} {_address(given[1])}"


def _making(_: Rules, given: Arguments) -> str | None:
    """Datagrams need no connection: their sockets are refused when they are made."""
    _, family, kind, _ = given
    is_internet = family in (socket.AF_INET, socket.AF_INET6)
    return "open a socket for datagrams" if is_internet and kind & 0xF != socket.SOCK_STREAM else None


def _resolving(_: Rules, given: Arguments) -> str | None:
    """Without a host it is about this machine's own addresses."""
    host, port = given[0], given[1] if len(given) > 1 else None
    if host is None:
        return None
    return f"connect to {_text(host)}:{_text(port)}" if port else f"look up {_text(host)}"


def _starting(rules: Rules, given: Arguments) -> str | None:
    program = given[0]
    if len(given) > 1 and rules.children and tuple(given[1][: len(rules.children)]) == rules.children:
        return None
    return f"run {_text(program if program is not None else given[1])}"


def _signalling(_: Rules, given: Arguments) -> str | None:
    """A process may end itself, and its children: only ours are there."""
    is_own = given[0] == os.getpid() or _parent_of(given[0]) == os.getpid()
    return None if is_own else f"signal process {given[0]}"


def _parent_of(pid: int) -> int | None:
    try:
        # The name of the program, in parentheses, may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _opening(rules: Rules, given: Arguments) -> str | None:
    path, _, flags = given
    return _elsewhere(rules, "open", path, NO_DIRECTORY) if flags & WRITING else None


def _changing(verb: str, *places: tuple[int, int | None]) -> Describe:
    """An event that changes paths; each place is (index of the path, index of its directory descriptor)."""

    def describe(rules: Rules, given: Arguments) -> str | None:
        for path, directory in places:
            found = NO_DIRECTORY if directory is None else given[directory]
            if what := _elsewhere(rules, verb, given[path], found):
                return what
        return None

    return describe


def _connecting_sqlite(rules: Rules, given: Arguments) -> str | None:
    name = _text(given[0])
    in_memory = name in ("", ":memory:") or "mode=memory" in name or "mode=ro" in name
    return None if in_memory else _elsewhere(rules, "open", name.removeprefix("file:"), NO_DIRECTORY)


def _elsewhere(rules: Rules, verb: str, path: Any, directory: int) -> str | None:
    """The effect, if the path lies outside of the scratch directory; a number is a file that is open."""
    if isinstance(path, int) or path in DEVICES:
        return None
    base = os.getcwd() if directory == NO_DIRECTORY else _path_of(directory)
    real = os.path.realpath(os.path.join(base, os.fsdecode(path)))
    if real == rules.scratch or real.startswith(rules.scratch + os.sep):
        return None
    return f"{verb} {real}"


def _path_of(descriptor: int) -> str:
    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    return os.readlink(f"/proc/self/fd/{descriptor}")


EVENTS: Mapping[str, tuple[str, Describe]] = {
    "socket.__new__": ("network", _making),
    "socket.connect": ("network", _reaching("connect to")),
    "socket.bind": ("network", _reaching("listen on")),
    "socket.sendto": ("network", _reaching("send to")),
    "socket.sendmsg": ("network", _reaching("send to")),
    "socket.getaddrinfo": ("network", _resolving),
    "socket.gethostbyname": ("network", _resolving),
    "socket.gethostbyaddr": ("network", _resolving),
    "subprocess.Popen": ("processes", _starting),
    "os.posix_spawn": ("processes", _starting),
    "os.exec": ("processes", _starting),
    "os.system": ("processes", lambda _, given: f"run {_text(given[0])}"),
    "os.spawn": ("processes", lambda _, given: f"run {_text(given[1])}"),
    "os.startfile": ("processes", lambda _, given: f"run {_text(given[0])}"),
    "os.fork": ("processes", lambda *_: "fork"),
    "os.forkpty": ("processes", lambda *_: "fork"),
    "os.kill": ("processes", _signalling),
    "os.killpg": ("processes", lambda _, given: f"signal process group {given[0]}"),
    "open": ("writes", _opening),
    "sqlite3.connect": ("writes", _connecting_sqlite),
    "os.remove": ("writes", _changing("remove", (0, 1))),
    "os.rmdir": ("writes", _changing("remove", (0, 1))),
    "os.mkdir": ("writes", _changing("make", (0, 2))),
    "os.rename": ("writes", _changing("rename", (0, 2), (1, 3))),
    "os.link": ("writes", _changing("link", (1, 3))),
    "os.symlink": ("writes", _changing("link", (1, 2))),
    "os.truncate": ("writes", _changing("truncate", (0, None))),
    "os.chmod": ("writes", _changing("change the mode of", (0, 2))),
    "os.chown": ("writes", _changing("change the owner of", (0, 3))),
    "os.utime": ("writes", _changing("change the times of", (0, 3))),
}
