"""Watching the workers: what any process may do that sees them fall silent.

What it promises
- Tasks of a worker that died, and tasks that run under a name no live worker has (claimed by hand, or by a
  claim that was carried out after its worker had ended), return to their queue within 45 s of the last sign
  of life, whoever notices first: another worker, or the relay that leads. A rescue names the sign of life
  that was watched going stale, so two who notice at once do it once.

What it assumes
- Everybody watches with the same settings: a worker fences itself (worker/liveness.py) before anyone may
  give it up.

What it leaves out
- Whose task has run for too long: only one may judge that, the relay that leads (relay/overdue.py).

`silence.py` judges by what was observed, `rescue.py` acts on it, `low_water.py` tells where to begin to look,
`duty.py` is how it is called: now and then, over a connection that nothing else uses.
"""
