"""What a receiver thinks of what comes: signatures, order, what it says of them, how it fails."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from service.receiver.answers import Answers
from service.receiver.arrival import Arrival, facts_of, plain, sequence_of
from service.receiver.ledger import Ledger, Numbers
from service.receiver.signature import TOLERANCE_SECONDS, judge
from service.store.webhook_secrets import key_of

SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_dGhpcyBpcyBhbm90aGVyIHNlY3JldA=="
BODY = b'{"task_id":"t-1","status":"completed"}'
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def signed(*secrets: str, body: bytes = BODY, at: datetime = NOW) -> dict[str, str]:
    """Headers as an independent implementation of the standard makes them."""
    signatures = [Webhook(secret).sign("wh-1", at, body.decode()) for secret in secrets]
    agent = hmac.new(key_of(secrets[0]), body, hashlib.sha256).hexdigest()
    return {
        "webhook-id": "wh-1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
        "X-Agent-Signature": f"sha256={agent}",
    }


def verdict(headers: dict[str, str], *secrets: str, body: bytes = BODY, now: datetime = NOW) -> str:
    return judge(headers, body, [key_of(secret) for secret in secrets], now.timestamp())


@given(body=st.text(), key=st.binary(min_size=24, max_size=64))
def test_what_an_independent_implementation_signs_is_verified(body: str, key: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    encodable = body.encode(errors="replace")
    assert verdict(signed(secret, body=encodable), secret, body=encodable) == "verified"


def test_during_a_rotation_either_secret_will_do() -> None:
    both = signed(OTHER, SECRET)
    assert verdict(both, OTHER) == "verified"
    assert verdict(both, SECRET, OTHER) == "verified"
    assert verdict(signed(SECRET), OTHER, SECRET) == "verified"
    assert verdict(both, SECRET) == "bad agent signature", "that one is made with the newest alone"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"webhook-signature": ""}, "unsigned"),
        ({"webhook-id": ""}, "unsigned"),
        ({"webhook-id": "wh-2"}, "bad signature"),
        ({"webhook-timestamp": ""}, "unsigned"),
        ({"webhook-timestamp": "soon"}, "bad timestamp"),
        ({"webhook-timestamp": "1" * 400}, "bad timestamp"),
        ({"webhook-timestamp": "²"}, "bad timestamp"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, "bad signature"),
        ({"webhook-signature": "v1,AAAA"}, "bad signature"),
        ({"webhook-signature": "v1"}, "bad signature"),
        ({"webhook-signature": "v1,\udcff"}, "bad signature"),
        ({"X-Agent-Signature": "sha256=00"}, "bad agent signature"),
        ({"X-Agent-Signature": ""}, "bad agent signature"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, str], expected: str) -> None:
    assert verdict(signed(SECRET) | change, SECRET) == expected


def test_a_changed_body_another_secret_and_an_old_one_are_refused() -> None:
    assert verdict(signed(SECRET), SECRET, body=BODY + b" ") == "bad signature"
    assert verdict(signed(SECRET), OTHER) == "bad signature"
    assert verdict(signed(SECRET)) == "unverified"
    for seconds, expected in ((0, "verified"), (1, "too old")):
        late = NOW + timedelta(seconds=TOLERANCE_SECONDS + seconds)
        assert verdict(signed(SECRET), SECRET, now=late) == expected
        early = NOW - timedelta(seconds=TOLERANCE_SECONDS + seconds)
        assert verdict(signed(SECRET), SECRET, now=early) == expected


def test_a_gap_is_told_and_closes_when_the_late_one_comes() -> None:
    numbers = Numbers(1, 1)
    assert numbers.note(2) == ""
    assert numbers.note(6) == "gap: 3-5 not here yet"
    assert numbers.note(4) == "late" and numbers.missing == [(3, 3), (5, 5)]
    assert numbers.note(8) == "gap: 7 not here yet"
    assert [numbers.note(each) for each in (3, 5, 7)] == ["late"] * 3
    assert numbers.missing == []
    assert numbers.note(4) == "number of another delivery"


@given(st.permutations(range(5, 25)), st.integers(0, 19))
def test_in_whatever_order_they_come_what_is_missing_is_what_did_not(order: list[int], lost: int) -> None:
    came = order[lost:]
    ledger = Ledger()
    for number in came:
        ledger.note("e", f"wh-{number}", number, True)
    numbers = ledger.numbers["e"]
    spelt = {each for low, high in numbers.missing for each in range(low, high + 1)}
    assert spelt == set(range(came[0], max(came) + 1)) - set(came)


def test_a_huge_gap_is_as_cheap_as_a_small_one() -> None:
    ledger = Ledger()
    ledger.note("e", "wh-1", 1, True)
    assert ledger.note("e", "wh-2", 10**18, True).order == f"gap: 2-{10**18 - 1} not here yet"
    assert ledger.note("e", "wh-3", 10**17, True).order == "late"


def test_the_same_id_is_a_retry_until_it_was_taken_and_a_duplicate_afterwards() -> None:
    ledger = Ledger()
    came = [ledger.note("e", "wh-1", 7, accepted).news for accepted in (False, False, True, True, False)]
    assert came == ["new", "retry", "retry", "duplicate", "duplicate"]
    assert ledger.note("e", "wh-2", 8, True).order == "", "what came again left the order alone"
    assert ledger.deliveries == 2 and ledger.missing() == {}


def test_endpoints_have_numbers_of_their_own() -> None:
    ledger = Ledger()
    for endpoint, number in (("a", 1), ("b", 1), ("a", 2), ("b", 4)):
        ledger.note(endpoint, f"wh-{endpoint}-{number}", number, True)
    assert ledger.missing() == {"b": [(2, 3)]}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (Answers(), [204, 204, 204]),
        (Answers(always=410), [410, 410, 410]),
        (Answers(first=2), [503, 503, 204]),
        (Answers(first=1, failure=429), [429, 204, 204]),
        (Answers(rate=1.0), [503, 503, 503]),
        (Answers(hang=True, always=200), [None, None, None]),
    ],
)
def test_it_fails_as_it_is_told(answers: Answers, expected: list[int | None]) -> None:
    assert [answers.to(times) for times in range(3)] == expected


def test_a_share_of_failures_is_about_that_share() -> None:
    answers = Answers(rate=0.2)
    failed = sum(answers.to(0) == 503 for _ in range(2000))
    assert 250 < failed < 550


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "²", "9" * 19])
def test_a_sequence_that_is_no_number_is_none(text: str) -> None:
    assert sequence_of({"webhook-sequence": text}) is None


def test_what_comes_from_outside_cannot_write_to_a_terminal() -> None:
    assert plain("a\x1b[2J\nb") == "a?[2J?b"
    assert len(plain("x" * 10_000)) == 80
    assert facts_of(b'{"task_id":"a\\u001b","status":5}') == ("a?", "5")
    for body in (b"", b"[]", b"\xff", b"[" * 100_000, b"null"):
        assert facts_of(body) == ("", "")


def test_a_line_says_what_a_person_needs() -> None:
    arrival = Arrival(
        at=NOW,
        endpoint="http://localhost:9000/hook",
        delivery_id="wh-3f2a9c4e-0000",
        sequence=12,
        task_id="t-1",
        status="completed",
        verdict="verified",
        news="duplicate",
        order="",
        answered=204,
        bytes=10,
    )
    line = arrival.line()
    for said in ("12:00:00.000", "wh-3f2a9c4e", "#12", "t-1", "completed", "verified", "204", "duplicate"):
        assert said in line, line
