"""How a line of the service's log looks: one JSON object for programs, text for people."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from json import JSONEncoder
from json.encoder import encode_basestring
from math import isfinite
from typing import NamedTuple

LEVEL_STYLES = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
ALWAYS = frozenset({"at", "level", "logger", "message"})
_encode = JSONEncoder(default=str, ensure_ascii=False).encode


class Line(NamedTuple):
    """What is written: `at` in seconds of the epoch, `level` as logging names it."""

    at: float
    level: str
    logger: str
    message: str
    fields: Mapping[str, object]
    traceback: str | None = None


Formatter = Callable[[Line], str]


def json_line(line: Line) -> str:
    """One JSON object: at, level, logger, message, the fields, and the traceback if there is one."""
    head = (
        f'{{"at": "{_time(line.at)}", "level": "{line.level.lower()}", '
        f'"logger": {encode_basestring(line.logger)}, "message": {encode_basestring(line.message)}'
    )
    # A field never hides what every line has.
    fields = "".join(
        f", {encode_basestring(name)}: {_value(value)}"
        for name, value in line.fields.items()
        if name not in ALWAYS
    )
    end = f', "traceback": {encode_basestring(line.traceback)}' if line.traceback else ""
    return f"{head}{fields}{end}}}\n"


def text_line(line: Line, coloured: bool = False) -> str:
    """For people: time, level, logger, message, then name=value; coloured on a terminal."""
    at = datetime.fromtimestamp(line.at).strftime("%H:%M:%S.%f")[:-3]
    level = f"{line.level:<7}"
    if coloured and (style := LEVEL_STYLES.get(line.level)):
        level = f"\x1b[{style}m{level}\x1b[0m"
    facts = "".join(f" {name}={value}" for name, value in line.fields.items())
    end = f"\n{line.traceback}" if line.traceback else ""
    return f"{at} {level} {line.logger.removeprefix('service.')}: {line.message}{facts}{end}\n"


def _value(value: object) -> str:
    """JSON of the kinds that most fields have, each at the least expense; NaN is none, and told as text."""
    if type(value) is str:
        return encode_basestring(value)
    if type(value) is int:
        return str(value)
    if type(value) is float:
        return repr(value) if isfinite(value) else f'"{value}"'
    return _encode(value)


def _time(at: float) -> str:
    seconds = int(at)
    return f"{_second(seconds)}.{int((at - seconds) * 1_000_000):06d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
