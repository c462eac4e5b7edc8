"""The REST API: aiohttp below a route table of our own.

A `Route` says everything about itself: method, path, the pydantic models of its path, query, body and
answer, the scope a caller needs, examples. The same table serves requests (`endpoint`) and documents
itself (`openapi`), so neither can drift from the other. Subjects export `ROUTES`; the composition root
passes them to `build_app`; nothing here knows a subject.

Promised: bad input is answered with a problem (RFC 9457) that says what to do, and nothing is written;
SQL, paths and traces never leave the process; an answer to a write is sent after its commit; the event
stream loses nothing (`feed`). Assumed: the database's functions decide and write, all checks of state
are theirs. Left out: TLS and rate limits, which are a proxy's work.
"""
