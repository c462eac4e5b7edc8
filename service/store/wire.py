"""How values travel: jsonb in its binary form, so that arrays of it need no quoting."""

import json
from collections.abc import Iterable
from typing import Any, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_decode = json.JSONDecoder().raw_decode
_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
JSONB_VERSION = b"\x01"


class Json(str):
    """JSON that is encoded already: `Json('{"result": 1}')` goes to the database as it is."""

    __slots__ = ()


def encode(value: object) -> Json:
    """`value` as JSON, unless it is that already.

    Raises ValueError for NaN and infinities, TypeError for what JSON has no form for.
    """
    return value if isinstance(value, Json) else Json(_dumps(value))


def encode_each(values: Iterable[object]) -> list[Json | None]:
    """For a parameter jsonb[]: a list inside would be taken for one more dimension of the array."""
    return [None if value is None else encode(value) for value in values]


def encode_list(values: Iterable[object]) -> Json:
    """One list of values, of which each may be JSON already."""
    return Json(f"[{','.join(map(encode, values))}]")


def _to_wire(value: object) -> bytes:
    return JSONB_VERSION + encode(value).encode()


def _from_wire(data: bytes) -> Any:
    # After the version byte comes one value, without the space around it that json.loads looks for.
    return _decode(data.decode(), 1)[0]


async def prepare_connection(connection: Connection) -> None:
    """Teach a new connection that jsonb is a Python value."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_to_wire, decoder=_from_wire, format="binary"
    )
