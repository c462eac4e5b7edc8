"""The relay: what follows the log, and what happens by the clock.

What it promises
- Any number of relays may run; one leads, by a lease that is a row in the database and counted in its time
  (`lease.py`). Every effect checks the lease in its own transaction, so a process that was paused, or cut
  off, and comes back finds its effects refused: nothing is done twice. Another leads within 5 s of a kill.
- A follower (`follower.py`) sees every settled event once and in order: its checkpoint moves in the
  transaction of its effect (`following.py`). An event it fails on is tried again, then parked with its
  error and listed; the ones after it go on, and other followers do not notice.
- Tasks of lost workers return to their queue, as any worker sees to it that sees them (`service/fleet/`). An
  attempt that its worker did not end at its deadline is ended (`overdue.py`).
- A schedule fires once for each time it is due (`scheduler.py`): the fire and its task are one transaction.
- Rows that are kept no longer go in small batches, each of them an event and a transaction (`retention.py`),
  at a fifth of a core at most.

What it assumes
- An effect is something the database does. What reaches outside (a webhook) is an event first, and is then
  done at least once under a stable id.

What it leaves out
- Order between followers, and any work in a relay that does not lead.

`relay.py` puts the parts together.
"""
