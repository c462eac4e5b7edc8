"""Everything on one machine: database, API and workers in one process tree, for `annals up`.

The parent holds the embedded server (when there is one), migrates, and serves the API. Each worker is a
child process in a session of its own, so that Ctrl-C reaches the parent alone and the end keeps its order:
first the API stops accepting, then the workers finish or release what they run, then the database goes.

A child that dies is started again, after a pause that grows while it keeps dying. A parent that dies, even
by kill -9, takes its children with it: each holds the reading end of a pipe that only the parent can write
to, and ends in order when it breaks. What stays behind in the worst case is a task to be rescued.

Modules: `service.children` (the parent's side) and `service.tether` (the child's), tree (who runs, and for
how long), startup (the lines a person sees), commands.
"""
