"""Parquet: the same export as a table, for tools that read columns.

One row for each event, with the columns of the log typed; `data` is its canonical text. Header and footer of
the line format are the file's metadata `annals.header` and `annals.footer`, and the digest is the same.
Needs pyarrow, which is as big as everything else together: `pip install annals[parquet]`.
"""

import importlib
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any, BinaryIO

from service.audit.lines import (
    Digest,
    Header,
    RawEvent,
    checked_event,
    parse_footer,
    parse_header,
)
from service.audit.sources import Inspector, Window
from service.errors import AnnalsError, Invalid

MAGIC = b"PAR1"
HEADER, FOOTER = b"annals.header", b"annals.footer"
GROUP_EVENTS, GROUP_TEXT = 20_000, 32_000_000


class NotInstalled(AnnalsError):
    """Parquet was asked for, and its library is not here."""

    code = "not_installed"


def library(name: str) -> Any:
    """A module of pyarrow. Raises NotInstalled."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotInstalled("Parquet needs pyarrow.", hint="pip install 'annals[parquet]'") from error


def schema_of(arrow: Any) -> Any:
    """The columns and their types."""
    text, whole = arrow.string(), arrow.int64()
    types = {"position": whole, "version": arrow.int32(), "causation_id": whole}
    types["recorded_at"] = arrow.timestamp("us", tz="UTC")
    nullable = ("correlation_id", "causation_id", "trace")
    return arrow.schema(
        [arrow.field(name, types.get(name, text), nullable=name in nullable) for name in RawEvent._fields]
    )


class ParquetSink:
    """Row groups to a binary file, each as soon as it is full."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self.digest = Digest()
        self._arrow = library("pyarrow")
        schema = schema_of(self._arrow).with_metadata({HEADER: header.line()})
        self._writer = library("pyarrow.parquet").ParquetWriter(file, schema, compression="zstd")
        self._waiting: list[RawEvent] = []
        self._text = 0

    def write(self, events: Sequence[RawEvent]) -> None:
        """A row for each event."""
        for event in events:
            self.digest.add(event)
            self._text += len(event.data)
        self._waiting.extend(events)
        if len(self._waiting) >= GROUP_EVENTS or self._text >= GROUP_TEXT:
            self._write_group()

    def finish(self) -> None:
        """The last group, and the footer."""
        if self._waiting:
            self._write_group()
        self._writer.add_key_value_metadata({FOOTER: self.digest.footer()})
        self._writer.close()

    def _write_group(self) -> None:
        schema = self._writer.schema
        columns = zip(*self._waiting, strict=True)
        arrays = [self._arrow.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=schema))
        self._waiting, self._text = [], 0


class ParquetSource:
    """An export as Parquet, from a file that can be searched."""

    unit = "row"

    def __init__(self, file: BinaryIO) -> None:
        self._arrow = library("pyarrow")
        try:
            self._file = library("pyarrow.parquet").ParquetFile(file)
        except (self._arrow.ArrowException, OSError) as error:
            raise Invalid(f"The Parquet file cannot be read: {error}") from error
        known = self._file.metadata.metadata or {}
        if HEADER not in known or FOOTER not in known:
            raise Invalid("The Parquet file is no export of a log.", hint="annals audit export writes one.")
        self.header = parse_header(known[HEADER].decode(errors="replace"))
        self._footer = parse_footer(known[FOOTER].decode(errors="replace"))
        expected = schema_of(self._arrow)
        if not self._file.schema_arrow.remove_metadata().equals(expected):
            raise Invalid("The columns of the Parquet file are not those of an export.")
        self._inspector = Inspector(self.header)
        self.digest = self._inspector.digest

    def windows(self) -> Iterator[Window]:
        """All events; the footer is looked at before the last window is given."""
        row, window = 1, Window(1)
        for columns in self._rows():
            try:
                event = checked_event(columns)
                self._inspector.take(event, None)
            except Invalid as error:
                raise Invalid(f"row {row}: {error.message}", hint=error.hint) from error
            row += 1
            if window.add(event):
                yield window
                window = Window(row)
        self._inspector.finish(*self._footer)
        yield window

    def _rows(self) -> Iterator[dict[str, Any]]:
        try:
            for batch in self._file.iter_batches(batch_size=1000):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    columns = dict(zip(RawEvent._fields, row, strict=True))
                    # Not the library's idea of UTC, of which there are several.
                    columns["recorded_at"] = columns["recorded_at"].astimezone(UTC)
                    yield columns
        except (self._arrow.ArrowException, OSError, ValueError, OverflowError) as error:
            raise Invalid(f"The Parquet file cannot be read on: {error}") from error
