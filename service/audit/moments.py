"""A moment of the past as people name it: a position of the log, a time, or an age."""

from datetime import datetime
from typing import Any

import click

from service.store.console import Time


class Moment(click.ParamType[int | datetime]):
    """A position, or a time (ISO 8601, or an age such as 30m)."""

    name = "POSITION|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | datetime:
        if isinstance(value, (int, datetime)):
            return value
        return int(value) if value.isdecimal() else Time().convert(value, param, ctx)
