"""The kernel's help against what an audit hook does not hear: no new sockets, also for C code and children.

A seccomp filter on Linux (x86-64 and ARM64): socket() and connect() fail with "Permission denied" in this
process and in everything it starts, and io_uring, which knows ways around them, is not there. Pairs of
sockets inside a process stay possible. Where there is no such filter nothing happens: the hook stands alone.
"""

import ctypes
import errno
import platform
import struct
import sys
from typing import NamedTuple

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # of classic BPF: load a word, jump if equal, return
AT_NUMBER, AT_ARCHITECTURE = 0, 4  # in what the kernel shows the filter
ALLOW, FAIL_WITH = 0x7FFF0000, 0x00050000


class Machine(NamedTuple):
    """Numbers of an architecture: its own, and those of the calls."""

    architecture: int
    socket: int
    connect: int
    io_uring_setup: int = 425


MACHINES = {"x86_64": Machine(0xC000003E, 41, 42), "aarch64": Machine(0xC00000B7, 198, 203)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_sockets() -> bool:
    """Let the kernel refuse new sockets from now on, for good; False where it cannot.

    Holds for the calling thread and those it starts later: call it before there are others.
    """
    machine = MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return False
    program = filter_for(machine)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    given = _Program(len(program) // 8, program)
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(given), 0, 0) == 0)


def filter_for(machine: Machine) -> bytes:
    """The filter as the kernel reads it: (code, jump if true, jump if false, operand), eight bytes each."""
    steps = [
        (LOAD, 0, 0, AT_ARCHITECTURE),
        (EQUAL, 0, 4, machine.architecture),
        (LOAD, 0, 0, AT_NUMBER),
        (EQUAL, 3, 0, machine.socket),
        (EQUAL, 2, 0, machine.connect),
        (EQUAL, 2, 0, machine.io_uring_setup),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, FAIL_WITH | errno.EACCES),
        (RETURN, 0, 0, FAIL_WITH | errno.ENOSYS),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
