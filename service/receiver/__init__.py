"""A receiver of webhooks, for trying them out: `annals webhooks listen`, and the demo's own.

It does what a receiver of one's own must do (verify the signature over the bytes that came, refuse what is
too old, take a delivery that comes twice once) and what helps while one is written: it says in which order
deliveries came, which numbers are missing, and fails on demand. It keeps what it saw in memory, for as long
as it runs.

What counts: only an arrival whose signature is good (or that nobody could verify, when no secret is known)
is taken into the books. A number is missing while it lies between the first and the highest that came to
its endpoint, and has not come; it is late when it comes after a higher one, which is no fault: four
deliveries are in flight at once, and a retry holds none back.

Modules: signature (pure), ledger (pure: what came before), answers (how it fails), arrival (one line),
secrets (where the keys come from), server (HTTP), listen_command.
"""
