"""The guard at connect time: no byte goes to an address that is not of the public internet.

A URL is checked when it is given; its name may point elsewhere by the time it is called. What is judged here
is the very address a socket is made for: whatever notation, resolver, cache or second answer it came from.
Addresses are never asked of the default executor: resolvers that hang would take its few threads from
everybody.
"""

import asyncio
import errno
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

from service.urls import is_public

# Names that do not resolve hold a thread each for as long as the system's resolver hopes.
RESOLVER_THREADS = 64
NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Refused(OSError):
    """An address is not to be connected to. The text is the same for all: several become one that way."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "its address is not on the public internet")


class Guard:
    """Makes the sockets of webhooks; `allow_loopback` lets this machine in (development and test)."""

    def __init__(self, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback

    def __call__(self, info: AddrInfoType) -> socket.socket:
        """A socket for one address that a name stood for. Raises Refused."""
        family, kind, proto, _, sockaddr = info
        if not self._allows(str(sockaddr[0])):
            raise Refused
        return socket.socket(family, kind, proto)

    def _allows(self, host: str) -> bool:
        address = ipaddress.ip_address(host.partition("%")[0])
        return is_public(address) or (self._allow_loopback and address.is_loopback)


class Resolver(AbstractResolver):
    """Asks the system for addresses, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, "annals-webhook-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises OSError."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _addresses, host, port, family
        )
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kin, proto=proto, flags=NUMERIC)
            for kin, proto, address in found
        ]

    async def close(self) -> None:
        """Let go of the threads; one that still asks ends with its answer."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[tuple[int, int, str]]:
    flags = socket.AI_ADDRCONFIG
    try:
        found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError as error:
        raise OSError(None, "the host is not a name") from error
    return [(entry[0], entry[2], str(entry[4][0])) for entry in found]
