"""The backoff policies in Python and in SQL agree."""

from typing import Any

import asyncpg
import pytest

from service.model.retry import delay_seconds, is_valid

VALID: list[dict[str, Any]] = [
    {"kind": "none"},
    {"kind": "fixed"},
    {"kind": "fixed", "seconds": 1.5},
    {"kind": "list", "seconds": [2, 4, 8]},
    {"kind": "exponential"},
    {"kind": "exponential", "seconds": 3, "factor": 1.5, "max_seconds": 60, "jitter": 0},
    {"kind": "exponential", "jitter": 1},
]
WRONG: list[dict[str, Any]] = [
    {},
    {"kind": "linear"},
    {"kind": "list", "seconds": []},
    {"kind": "list", "seconds": 3},
    {"kind": "list", "seconds": [1, -1]},
    {"kind": "list", "seconds": ["1"]},
    {"kind": "fixed", "seconds": -1},
    {"kind": "fixed", "seconds": "1"},
    {"kind": "fixed", "seconds": True},
    {"kind": "fixed", "unit": "s"},
    {"kind": "exponential", "jitter": 1.5},
    {"kind": "exponential", "factor": None},
]
Connection = asyncpg.Connection


@pytest.mark.parametrize("backoff", [*VALID, *WRONG], ids=str)
async def test_both_take_the_same_policies(db: "Connection[asyncpg.Record]", backoff: dict[str, Any]) -> None:
    assert is_valid(backoff) == (backoff in VALID)
    assert await db.fetchval("SELECT valid_backoff($1)", backoff) == is_valid(backoff)


@pytest.mark.parametrize("backoff", VALID, ids=str)
async def test_both_wait_the_same_time(db: "Connection[asyncpg.Record]", backoff: dict[str, Any]) -> None:
    for failures in (1, 2, 3, 7, 80):
        for chance in (0.0, 0.25, 0.999):
            sql = await db.fetchval("SELECT backoff_delay($1, $2, $3)", backoff, failures, chance)
            assert sql == pytest.approx(delay_seconds(backoff, failures, chance))
