"""Where an import comes from: an export, read a window at a time and held against its own header and footer.

What is read is not trusted. Every error names the line (of Parquet the row) at which the file goes wrong.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from service.audit.lines import (
    Digest,
    Header,
    RawEvent,
    parse_event,
    parse_footer,
    parse_header,
)
from service.errors import Invalid

GZIP = b"\x1f\x8b"
WINDOW_EVENTS, WINDOW_TEXT = 10_000, 8_000_000
LONGEST_LINE = 64_000_000


@dataclass(slots=True)
class Window:
    """Events that follow each other in the file; `first` is the number of the first one's line, from 1."""

    first: int
    events: list[RawEvent] = field(default_factory=list)
    text: int = 0

    def add(self, event: RawEvent) -> bool:
        """Take one more event; whether the window is full then."""
        self.events.append(event)
        self.text += len(event.data)
        return len(self.events) >= WINDOW_EVENTS or self.text >= WINDOW_TEXT


class Source(Protocol):
    """An export. `unit` is what its places are counted in."""

    header: Header
    digest: Digest
    unit: str

    def windows(self) -> Iterator[Window]:
        """All events. Raises Invalid where the file is wrong, at the latest at its end."""


class Inspector:
    """Holds the events of a file, one after the other, against what its header and footer say."""

    def __init__(self, header: Header) -> None:
        self.header, self.digest, self._last = header, Digest(), 0

    def take(self, event: RawEvent, digest: str | None) -> None:
        """See one more event, with the digest of its line if it has one. Raises Invalid."""
        if event.position == self._last:
            raise Invalid(f"position {event.position} is there twice")
        if event.position < self._last:
            raise Invalid(f"position {event.position} comes after position {self._last}")
        if not self.header.first_position <= event.position <= self.header.last_position:
            raise Invalid(f"position {event.position} lies outside of what the header announces")
        self._last = event.position
        found = self.digest.add(event)
        if digest is not None and found != digest:
            raise Invalid(
                f"the digest up to here is {found}, and not {str(digest)[:40]}",
                hint="This event was changed, or it does not stand in its place.",
            )

    def finish(self, events: int, digest: str) -> None:
        """See the footer. Raises Invalid."""
        if events != self.digest.events:
            raise Invalid(f"{self.digest.events:,} events are there, and the footer says {events:,}")
        if digest != self.digest.hexdigest():
            raise Invalid(f"the digest of the events is {self.digest.hexdigest()}, and not {digest[:64]}")


class LineSource:
    """An export as lines; `stream` is read to its end."""

    unit = "line"

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._line = stream, 0
        with self._located():
            self.header = parse_header(self._next() or "")
        self._inspector = Inspector(self.header)
        self.digest = self._inspector.digest

    def windows(self) -> Iterator[Window]:
        """All events; the footer is looked at before the last window is given."""
        window = Window(self._line + 1)
        with self._located():
            while (line := self._next()) is not None and line.startswith('{"position"'):
                event, digest = parse_event(line)
                self._inspector.take(event, digest)
                if window.add(event):
                    yield window
                    window = Window(self._line + 1)
            if line is None:
                raise Invalid("the file ends without its footer: it was cut off")
            self._inspector.finish(*parse_footer(line))
            if self._next() is not None:
                raise Invalid("something follows after the footer")
        yield window

    def _next(self) -> str | None:
        self._line += 1
        line = self._stream.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE:
            raise Invalid(f"the line is longer than {LONGEST_LINE:,} bytes")
        return line.decode().rstrip("\n") if line else None

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Say where an error was found."""
        try:
            yield
        except Invalid as error:
            raise Invalid(f"line {self._line}: {error.message}", hint=error.hint) from error
        except UnicodeDecodeError as error:
            raise Invalid(f"line {self._line}: this is not UTF-8") from error
        except (EOFError, OSError, zlib.error) as error:
            raise Invalid(f"line {self._line}: the file cannot be read on: {error}") from error
