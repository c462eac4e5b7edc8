"""Where an export goes: lines, plain or packed. Parquet is in parquet.py."""

import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from service.audit.lines import Digest, Header, RawEvent, print_event
from service.errors import Invalid


class Sink(Protocol):
    """Takes the events of an export in order, and then its end."""

    digest: Digest

    def write(self, events: Sequence[RawEvent]) -> None:
        """Take a chunk of events."""

    def finish(self) -> None:
        """Write what stands at the end. Without it the export is not whole, and cannot be imported."""


class LineSink:
    """Lines to a binary file, which stays open."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self.digest = Digest()
        self._file = file
        self._write_lines([header.line()])

    def write(self, events: Sequence[RawEvent]) -> None:
        """A line for each event."""
        add = self.digest.add
        self._write_lines([print_event(event, add(event)) for event in events])

    def finish(self) -> None:
        """The footer."""
        self._write_lines([self.digest.footer()])
        self._file.flush()

    def _write_lines(self, lines: Sequence[str]) -> None:
        self._file.write(("\n".join(lines) + "\n").encode())


@contextmanager
def packed(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """The file, or one that packs what is written into it, by the suffix of the name. Raises Invalid."""
    if name.endswith((".zst", ".zstd", ".xz", ".bz2")):
        raise Invalid(f"{name}: of packed files only .gz can be written.", hint="Or pipe: --output - | zstd")
    if not name.endswith(".gz"):
        yield file
        return
    # Neither name nor time goes in: two exports of the same events are the same file.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=5, fileobj=file, mtime=0) as pack:
        yield pack  # type: ignore[misc]
