"""The product's own workloads, measured on the machine and the server at hand: `annals bench`.

What it promises: it works on databases of its own, made on the given server and dropped at the end, never
on anybody's data; every figure is taken several times and shown with its spread; nothing is asserted.

A task here is a no-op with a payload of 100 bytes. One worker process runs it, 500 at once; this process
enqueues and watches. Durable means durable: the server's settings are what they are, and are shown.

Modules: tasks (the handlers), scratch (databases), producer (enqueues), fleet (the worker process), meter
(what the server counted), workloads, report, commands.
"""
