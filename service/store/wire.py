"""How values travel: jsonb in its binary form, so that arrays of it need no quoting."""

import json
from typing import Any, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
JSONB_VERSION = b"\x01"


class Json(str):
    """JSON that is encoded already: `Json('{"result": 1}')` goes to the database as it is."""

    __slots__ = ()


def encode(value: object) -> Json:
    """`value` as JSON. Raises ValueError for NaN and infinities, TypeError for what JSON has no form for."""
    return Json(_dumps(value))


def _to_wire(value: object) -> bytes:
    text = value if isinstance(value, Json) else _dumps(value)
    return JSONB_VERSION + text.encode()


def _from_wire(data: bytes) -> Any:
    return json.loads(data[1:])


async def prepare_connection(connection: Connection) -> None:
    """Teach a new connection that jsonb is a Python value."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_to_wire, decoder=_from_wire, format="binary"
    )
