"""Keeping counts of the past fast: the log is counted on as it grows, a small step at a time.

Nothing depends on it for being right, so it needs no lease: the relay that leads does it, and whoever comes
while another is counting does nothing. It never takes more than a twentieth of a core, so a long log that was
never counted takes its time.
"""

import asyncio
import logging
import time

from service.errors import AnnalsError
from service.store.travel import PastStore

logger = logging.getLogger(__name__)

# Sleep so many times as long as the last step took, and at least so long.
REST = 20
PAUSE_SECONDS = 1.0


async def keep_counting(past: PastStore) -> None:
    """Extend the depth marks until cancelled; an outage is told once, and waited for."""
    is_well = True
    while True:
        began = time.monotonic()
        try:
            await past.extend_depth_marks()
            is_well = True
        except AnnalsError as error:
            if is_well:
                logger.warning("depth marks wait: %s", error)
            is_well = False
        await asyncio.sleep(max(PAUSE_SECONDS, REST * (time.monotonic() - began)))
