"""Stream tickets by themselves."""

import pytest

from service.api import tickets

SECRET = b"\x07" * 32


def test_a_ticket_holds_with_its_secret_only() -> None:
    ticket, _ = tickets.issue("a.b", SECRET)
    assert tickets.name_in(ticket) == "a.b"
    assert tickets.holds(ticket, SECRET)
    assert not tickets.holds(ticket, b"\x08" * 32)


@pytest.mark.parametrize(
    "ticket", ["", "x", "a.b.c", "a.-1.c", "a.٣.c", "a.9999999999999.c", "a.99999999999.c"]
)
def test_what_is_no_ticket_names_nobody(ticket: str) -> None:
    assert tickets.name_in(ticket) is None


def test_a_ticket_ends_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket, ends_at = tickets.issue("a", SECRET)
    monkeypatch.setattr(tickets.time, "time", lambda: ends_at.timestamp())
    assert tickets.name_in(ticket) is None
