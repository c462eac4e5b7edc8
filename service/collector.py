"""The garbage collector of a process that runs for long.

Nearly all that a process makes is freed with its last reference; the collector only finds cycles. Left as it
comes, it looks through everything that was ever imported again and again, because a batch of five hundred
tasks looks like much that stays: in a worker that was half of its time, in pauses of tens of milliseconds.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# So many more objects made than freed, before the young ones are looked at: a fraction of a millisecond.
YOUNG = 10_000


@contextmanager
def calm_collector() -> Iterator[None]:
    """Leave what there is by now alone, and look for cycles more rarely, until the end of the block."""
    before = gc.get_threshold()
    if before[0] == YOUNG:
        yield
        return
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
