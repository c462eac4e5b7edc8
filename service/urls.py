"""Which callback addresses are accepted: https to the public internet, nothing that reaches inwards.

The check is made when a URL is given. A name may point elsewhere later, so whoever connects must ask
`is_public` again for the address it really connects to. A name that cannot be resolved now is accepted: that
proves nothing about where it will point.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from service.errors import Invalid

LONGEST = 2000
RESOLVE_SECONDS = 2.0
# Answers to virtual machines of one cloud, from an address that is otherwise public.
METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
NOT_PUBLIC = "its address is not on the public internet"
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


async def check_webhook_url(url: str, *, allow_localhost: bool) -> None:
    """Raises Invalid for a URL not to be called; `allow_localhost` lets this machine in, also by http."""
    name = check_form(url, allow_localhost=allow_localhost)
    if name is not None and not all(map(is_public, await _resolve(*name))):
        raise _invalid(NOT_PUBLIC)


def check_form(url: str, *, allow_localhost: bool) -> tuple[str, int] | None:
    """What can be told without a resolver: raises Invalid, or gives the name and port left to be resolved."""
    parts = _split(url)
    host = (parts.hostname or "").rstrip(".").lower()
    literal = _literal(host)
    if allow_localhost and (_is_local_name(host) or (literal is not None and literal.is_loopback)):
        if parts.scheme not in ("http", "https"):
            raise _invalid("use https")
        return None
    if parts.scheme != "https":
        raise _invalid("use https")
    if _is_local_name(host):
        raise _invalid("it points to this machine")
    if literal is None:
        return host, parts.port or 443
    if not is_public(literal):
        raise _invalid(NOT_PUBLIC)
    return None


async def check_webhook_urls(tasks: Iterable[Mapping[str, Any]], *, allow_localhost: bool) -> None:
    """The same for the webhook_url of each task to enqueue that has one. Raises Invalid."""
    urls = {str(task["webhook_url"]) for task in tasks if task.get("webhook_url")}
    if urls:
        await asyncio.gather(*(check_webhook_url(url, allow_localhost=allow_localhost) for url in urls))


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, also when it wraps an IPv4 address."""
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and address not in METADATA


def _split(url: str) -> SplitResult:
    if len(url) > LONGEST or not url.isprintable() or " " in url or "\\" in url:
        raise _invalid(f"it is not a URL of at most {LONGEST} characters")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _invalid("it is not a URL") from None
    if not parts.hostname:
        raise _invalid("it names no host")
    if "@" in parts.netloc:
        raise _invalid("it holds a user or password")
    return parts


def _is_local_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _literal(host: str) -> Address | None:
    """The address that a host stands for without any resolver, also as 0x7f000001, 0177.1 or 2130706433."""
    if "%" in host:
        raise _invalid("its address has a zone")
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host)
    if host[:1].isdigit():
        with contextlib.suppress(OSError):
            return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


async def _resolve(host: str, port: int) -> list[Address]:
    """What the name points to now; nothing when that cannot be found out."""
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return []
    except UnicodeError:
        raise _invalid("its host is not a name") from None
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _invalid(reason: str) -> Invalid:
    return Invalid(
        f"Bad webhook_url: {reason}.", hint="Give an https URL that is reachable from the internet."
    )
