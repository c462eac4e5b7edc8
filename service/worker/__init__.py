"""Workers: processes that run tasks.

What it promises
- A handler ends in one outcome, decided in one place (`attempt.py`). Its end, and what it recorded, are
  written in one transaction, exactly once; through an outage they are kept and written afterwards
  (`flusher.py`).
- A task runs at least once. It runs twice only when its worker died, or could not prove that it lives: a
  worker fences itself (`liveness.py`) before anyone may rescue its tasks (`service/fleet/`), or hung past
  its deadline; a late report of an old lease is refused by the database.
- Nothing is claimed that cannot start at once (`slots.py`, `claimer.py`).

What it assumes
- Handlers may be repeated: effects outside of the database use `ctx.idempotency_key`.
- Coroutine handlers do not block the loop; `watchdog.py` names those that do. A thread cannot be
  interrupted: a sync handler past its deadline is reported and left to itself, and its place stays taken
  until it returns.

What it leaves out
- Order between ways of running: async, thread and process handlers of a lane are claimed apart.

`worker.py` puts the parts together; `runner.py` holds the attempts, `executors.py` and `process_pool.py`
run them.
"""
