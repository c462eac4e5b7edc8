"""Files that stand under their name whole, or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from service.errors import AnnalsError, Conflict


class NotWritten(AnnalsError):
    """The file cannot be made where it should be."""

    code = "not_written"


@contextmanager
def placed(path: Path, *, replace: bool = True) -> Iterator[BinaryIO]:
    """A file that stands under its name after the block, on disk and for its owner alone; after an error not.

    It is written beside it, as a hidden file that a killed process leaves behind. Raises Conflict when there
    is such a file and `replace` is false, NotWritten when it cannot be made.
    """
    try:
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        try:
            with open(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(draft, path)
            else:
                # A link never takes another file's name, also when that appears at this moment.
                os.link(draft, path)
            _sync_folder(path.parent)
        finally:
            Path(draft).unlink(missing_ok=True)
    except FileExistsError:
        raise Conflict(f"{path} exists.", hint="Give another --output, or --force to replace it.") from None
    except OSError as error:
        raise NotWritten(f"{path} cannot be written: {error.strerror}.", hint="--output names it.") from error


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
