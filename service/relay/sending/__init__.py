"""Sending webhooks: a duty of the relay that leads.

What it promises
- A delivery is an event before it is a request (`../webhooks.py`), and each failed attempt is one before the
  next is made (`recording.py`): killed anywhere, another relay goes on with the attempts that are left. So a
  receiver gets each at least once, under one `webhook-id`.
- Of one endpoint, deliveries begin in order of `webhook-sequence`, at most 4 requests open; one that waits
  for its next attempt holds no place and holds up nobody (`places.py`). Endpoints that are slow, or hang,
  take nothing from the others; endpoints with a long backlog take turns (`ready.py`).
- No byte goes to an address that is not of the public internet (`guard.py`), whatever the name resolves to.
- An endpoint that fails for long is paused, and tried by one delivery now and then (`breaker.py`).

What it assumes
- A receiver knows `webhook-id` and takes what it has seen before for done.

What it leaves out
- Waits in memory are bounded by most_open: one more waits in its row, and is found when its time has come.
- Failures in a row are counted by the relay that leads: after a take-over they count from one.

`sender.py` says what is sent when; `delivery.py` is one delivery, whose attempts aiohttp-retry makes
(`retrying.py`); `attempt.py` is one request, signed by `signature.py`.
"""
