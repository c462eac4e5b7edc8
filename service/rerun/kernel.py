"""The kernel's help against what an audit hook does not hear: no connections, also for C code and children.

A seccomp filter on Linux (x86-64 and ARM64): in this process and in everything it starts, connect() and
listen() fail with "Permission denied", so do sockets for datagrams on the internet, which could be sent
without connecting, and io_uring, which knows ways around all of them, is not there. Where there is no such
filter nothing happens: the hook stands alone.
"""

import ctypes
import errno
import platform
import socket
import struct
import sys
from typing import NamedTuple

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, MASK, EQUAL, RETURN = 0x20, 0x54, 0x15, 0x06  # of classic BPF: load a word, and, jump if equal, return
# What the kernel shows the filter, by offset: the call, the architecture, the first two arguments.
NUMBER, ARCHITECTURE, DOMAIN, TYPE = 0, 4, 16, 24
KIND_OF_SOCKET = 0xF  # the other bits of the type are flags
ENDS = {"allow": 0x7FFF0000, "deny": 0x00050000 | errno.EACCES, "absent": 0x00050000 | errno.ENOSYS}

Step = tuple[int, int, str, str]


class Machine(NamedTuple):
    """Numbers of an architecture: its own, and those of the calls."""

    architecture: int
    socket: int
    connect: int
    listen: int
    io_uring_setup: int = 425


MACHINES = {"x86_64": Machine(0xC000003E, 41, 42, 50), "aarch64": Machine(0xC00000B7, 198, 203, 201)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_connections() -> bool:
    """Let the kernel refuse connections from now on, for good; False where it cannot.

    Holds for the calling thread and those it starts later: call it before there are others.
    """
    machine = MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return False
    program = assembled(steps_for(machine))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    given = _Program(len(program) // 8, program)
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(given), 0, 0) == 0)


def steps_for(machine: Machine) -> list[Step]:
    """The filter: (code, operand, where to if it is equal, where to if not); "" is the next step."""
    return [
        (LOAD, ARCHITECTURE, "", ""),
        (EQUAL, machine.architecture, "", "allow"),
        (LOAD, NUMBER, "", ""),
        (EQUAL, machine.connect, "deny", ""),
        (EQUAL, machine.listen, "deny", ""),
        (EQUAL, machine.io_uring_setup, "absent", ""),
        (EQUAL, machine.socket, "", "allow"),
        (LOAD, DOMAIN, "", ""),
        (EQUAL, socket.AF_INET, "kind", ""),
        (EQUAL, socket.AF_INET6, "kind", "allow"),
        (LOAD, TYPE, "kind", ""),
        (MASK, KIND_OF_SOCKET, "", ""),
        (EQUAL, socket.SOCK_STREAM, "allow", "deny"),
    ]


def assembled(steps: list[Step]) -> bytes:
    """The filter as the kernel reads it; a LOAD may carry the name by which it is jumped to."""
    names = {name: index for index, (code, _, name, _) in enumerate(steps) if code == LOAD and name}
    names |= {name: len(steps) + index for index, name in enumerate(ENDS)}
    words = []
    for index, (code, operand, equal, other) in enumerate(steps):
        jumps = [names[name] - index - 1 if name and code == EQUAL else 0 for name in (equal, other)]
        words.append(struct.pack("=HBBI", code, *jumps, operand))
    return b"".join(words) + b"".join(struct.pack("=HBBI", RETURN, 0, 0, end) for end in ENDS.values())
