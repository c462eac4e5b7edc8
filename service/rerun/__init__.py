"""Running one task of a debug bundle here, without a database and without effects outside.

What it promises
- The handler runs by the worker's own code: the same contexts, executors, deadlines and verdicts, with the
  parameters, checkpoint, counters and idempotency key of the attempt that is run again. Only what stands
  behind the context is another: a notebook instead of reports and queue, and no database.
- The configuration is the bundle's, not this machine's: no DSN is read here.
- Network, other processes and writing outside of a temporary directory are refused while the handler runs,
  and each refusal is told. The exit code says whether the outcome is the recorded one.

What it assumes
- The code is trusted: this stops accidents, not enemies. An audit hook hears what Python does. What C code
  does by itself (libpq, uvloop, a process made by multiprocessing's spawn) it does not hear; on Linux the
  kernel refuses those the network too (`kernel.py`), elsewhere nothing does. Files that C code writes are
  not covered anywhere.

What it leaves out
- What others did: a cancellation, a rescue, a row that another transaction held. Time and randomness are
  today's. `ctx.enqueue` is noted without the database's checks.
"""
