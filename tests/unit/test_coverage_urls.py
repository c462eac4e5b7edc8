"""Which callback addresses are accepted."""

import asyncio
import ipaddress

import pytest

from service.errors import Invalid
from service.urls import check_webhook_url, is_public


@pytest.mark.parametrize(
    "url",
    [
        "https://93.184.216.34/hook",
        "https://93.184.216.34:8443/hook?a=1#b",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/hook",
        "https://no-such-host.invalid/hook",
    ],
)
async def test_public_addresses_are_accepted(url: str) -> None:
    await check_webhook_url(url, allow_localhost=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/hook",
        "ftp://93.184.216.34/hook",
        "//93.184.216.34/hook",
        "93.184.216.34",
        "https://",
        "https:///hook",
        "https://[::1",
        "https://93.184.216.34:99999/",
        "https://user:secret@93.184.216.34/",
        "https://93.184.216.34/a b",
        "https://93.184.216.34\\@127.0.0.1/",
        "https://93.184.216.34/\n",
        "https://93.184.216.34/" + "x" * 2000,
        "javascript:alert(1)",
        "",
    ],
)
async def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="Bad webhook_url"):
        await check_webhook_url(url, allow_localhost=False)


INWARDS = [
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001"),
    *(
        "0.0.0.0",
        "0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
    ),
    *("224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "168.63.129.16", "192.0.2.1", "198.18.0.1"),
    *("[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:127.0.0.1]"),
    *("[::ffff:a9fe:a9fe]", "[2002:7f00:1::]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2001:db8::1]"),
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1.", "[fe80::1%25eth0]"),
]


@pytest.mark.parametrize("host", INWARDS)
async def test_no_address_that_reaches_inwards_is_accepted(host: str) -> None:
    with pytest.raises(Invalid, match="Bad webhook_url"):
        await check_webhook_url(f"https://{host}/hook", allow_localhost=False)


@pytest.mark.parametrize(
    "url", ["http://localhost:8001/hook", "http://127.0.0.1/", "http://[::1]:80/", "https://localhost/"]
)
async def test_this_machine_is_accepted_where_that_is_allowed(url: str) -> None:
    await check_webhook_url(url, allow_localhost=True)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "https://10.0.0.1/", "http://93.184.216.34/", "ftp://localhost/"]
)
async def test_allowing_this_machine_allows_nothing_else(url: str) -> None:
    with pytest.raises(Invalid):
        await check_webhook_url(url, allow_localhost=True)


async def test_a_name_that_points_inwards_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bad address among several is enough: a client may connect to any of them."""

    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (address, port)) for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
    with pytest.raises(Invalid, match="public internet"):
        await check_webhook_url("https://rebound.example/hook", allow_localhost=False)


def test_an_address_within_an_address_is_judged() -> None:
    assert is_public(ipaddress.ip_address("::ffff:93.184.216.34"))
    assert not is_public(ipaddress.ip_address("::ffff:10.0.0.1"))
    assert not is_public(ipaddress.ip_address("2002:0a00:0001::1"))
