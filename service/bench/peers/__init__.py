"""The other queues that `annals bench --against` measures beside us, and ourselves, driven alike.

An adapter is one small file: how a user of that queue sets it up, enqueues, and runs a worker, with the fast
settings its own documentation recommends, named in its head. It runs in a process of its own, `agent`, among
the packages of that queue alone: nothing here but `annals` may import anything of the service beyond this
package, and nothing of other queues is needed until somebody names one. `agent.mjs` is the same for Node.

Modules: peer (what an adapter implements), tally (what a handler counts), agent (the process), catalogue
(which there are), and one for each queue; queries/NAME.sql counts the jobs that a queue has left to do.
"""
