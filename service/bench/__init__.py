"""The product's own workloads, measured on the machine and the server at hand: `annals bench`.

What it promises: it works on databases of its own, made on the given server and dropped at the end, never
on anybody's data; every figure is taken several times and shown with its spread; nothing is asserted.

A task here is a no-op with a payload of 100 bytes. One worker process runs it, 500 at once; this process
enqueues and watches. Durable means durable: the server's settings are what they are, and are shown.

With `--against` other queues do the same on the same server, in turns with ours: each in processes, databases
and an installation of its own, driven by JSON lines (`peers`), set up the fast way that it recommends itself.

Modules: tasks (the handlers), scratch (databases), ground (where ours is measured), workloads, figures,
machine, commands. Against others: against (options, what is shown), contest (rounds), races (the workloads),
place (where a queue is measured), agents, processes, install, comparison (the table), chart, records (JSON
lines).
"""
