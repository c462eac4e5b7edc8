"""Values of handlers as JSON that PostgreSQL can store, checked where they are given.

jsonb takes neither NaN, nor the character U+0000, nor half a surrogate pair. Found in the handler's own
call, that is an error of the attempt with a message; found by the flush, it would be a batch that fails.
"""

import json
import re

from service.errors import Invalid, TooBig

# An escape of U+0000 that is not itself the end of an escaped backslash.
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def encode(value: object, limit: int, what: str) -> str:
    """JSON text of at most `limit` bytes. Raises Invalid (cannot be stored) or TooBig, naming `what`."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        size = len(text) if text.isascii() else len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"{what} cannot be stored as JSON: {error}", hint="Return plain JSON values.") from None
    if size > limit:
        raise TooBig(
            f"{what} is {size} bytes of JSON; at most {limit} are stored.",
            hint="Store it elsewhere and return a reference.",
        )
    if "\\u0000" in text and NUL.search(text):
        raise Invalid(f"{what} cannot be stored as JSON: it holds the character U+0000.")
    return text


def storable(text: str, limit: int) -> str:
    """Any text, an error message for instance, made fit for the log: odd characters shown, the middle cut."""
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}\n[... {len(text) - 2 * half} characters cut ...]\n{text[-half:]}"
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
