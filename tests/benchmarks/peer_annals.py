"""Annals under the workloads that other queues are measured with: a peer of the shared harness.

    BENCH_COMMON=/path/to/bench python tests/benchmarks/peer_annals.py --workload W13,W2,W4,W5 --dsn postgresql://...

BENCH_COMMON names the directory of the harness, whose `common.py` drives this file. The database of the DSN
is dropped and made anew. It is the adapter of `annals bench --against`, which needs no harness.
"""

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), os.environ.get("BENCH_COMMON", ".")]

import common  # type: ignore[import-not-found]  # noqa: E402

from service.bench.peers.annals import Adapter  # noqa: E402

LEFT = "select count(*) from background_tasks where status in ('pending', 'running')"

if __name__ == "__main__":
    common.main(Adapter, "annals", LEFT)
