"""What psql takes for a cron expression is what the relay can work out."""

import random
from typing import Any

import psycopg

from service.errors import Invalid
from service.model.cron import Cron

WORDS = {
    "minute": ("0", "07", "59", "60", "*", "*/15", "5-10", "10-5", "1,2,*/7", "x", "*/0", "5/20", "1-9/3"),
    "hour": ("0", "23", "24", "*", "*/2", "9-17", "1,13", "", "8-18/2", "00"),
    "day of month": ("1", "31", "32", "0", "*", "L", "LW", "1,15", "*/2", "1-7", "1,L", "W"),
    "month": ("1", "12", "13", "JAN", "jan-mar", "FEB", "*", "*/3", "foo", "JAN,DEC", "MAR/2"),
    "day of week": ("0", "7", "8", "MON-FRI", "sun", "5L", "1#2", "MON#1", "1#6", "*", "FRIL", "MON,WED"),
}  # fmt: skip


def is_workable(expression: str) -> bool:
    try:
        Cron(expression)
    except Invalid:
        return False
    return True


def test_both_refuse_the_same_expressions(connection: psycopg.Connection[Any]) -> None:
    chance = random.Random(1)
    expressions = [" ".join(chance.choice(each) for each in WORDS.values()) for _ in range(2000)]
    query = "SELECT e, cron_problem(e) FROM unnest(%s::text[]) e"
    found = dict(connection.execute(query, [expressions]).fetchall())
    assert sum(is_workable(each) for each in found) > 100
    for expression, problem in found.items():
        if is_workable(expression):
            assert problem is None, expression
        elif problem is None:
            # What no form can tell: a range that ends before it begins, a day that never comes.
            assert "10-5" in expression or " 31 " in f" {expression} ", expression
