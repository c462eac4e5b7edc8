"""The main job on real data, over HTTP, as any client would do it.

Two collections lie on every machine that runs Annals: the classifiers of the Python Package Index (a tree
of some 900 nodes that many people agreed on) and the metadata of the installed distributions (texts, and
the classifiers their authors gave them). The demo makes a taxonomy of the first and documents of the
second, lets four agents cover parts of the tree, measures them in the background and shows what the log
remembers of it. A task type of its own has a mistake in it: it reads some packages and fails at one, which
shows what a failure leaves behind and how it is run again from a debug bundle.

It promises to be repeatable: node and document ids are derived from names, agents are found by theirs, so a
second run adds tasks and what is told of them, nothing else. It knows the service by its HTTP interface
alone and imports nothing of it but base modules, and the receiver of webhooks that anybody may try.

Modules: taxonomy and documents (pure: what is sent), scenario (which agents), client (HTTP), watch (live
progress), run (the order of things), screen (how it looks), commands; handlers (the task with the mistake,
for workers to import), packages (what it is given), failure (how the demo runs it), webhook (who is told).
"""
