"""A child process of replay-local: the worker's own, with the guard up before any handler is imported.

It is started as `python -m service.rerun.child RULES DESCRIPTOR`, the rules as JSON.
"""

import json
import os
import sys

from service.rerun.guard import Guard, Rules
from service.worker import child


def main() -> None:
    """Put the guard up, keep standard output for the report, and run handlers."""
    given = json.loads(sys.argv[1])
    sys.dont_write_bytecode = True
    os.dup2(2, 1)
    guard = Guard(Rules(given["scratch"], tuple(given["allowed"])))
    child.main()
    guard.lower()


if __name__ == "__main__":
    main()
