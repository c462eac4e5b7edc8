"""Files that are there whole or not at all."""

import os
import tempfile
from pathlib import Path

from service.errors import Conflict, Invalid


def write_whole(path: Path, data: bytes, *, replace: bool) -> None:
    """Write beside, then give it its name; readable by its owner alone.

    Raises Conflict when there is such a file and `replace` is false, Invalid when it cannot be written.
    """
    try:
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(draft, path)
            else:
                # A link never takes another file's name, also when that appears at this moment.
                os.link(draft, path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except FileExistsError:
        raise Conflict(f"{path} exists.", hint="Give another --output, or --force to replace it.") from None
    except OSError as error:
        raise Invalid(f"Cannot write {path}: {error.strerror}.", hint="Give another --output.") from None
