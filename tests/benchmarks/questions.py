"""How long psql takes for each of the questions of service/store/questions, on a database that is there.

    python tests/benchmarks/travel.py postgresql://user@host/annals_questions --tasks 100000
    python tests/benchmarks/questions.py postgresql://user@host/annals_questions

The first command makes a history, all of it within the last hour; the second prints the median of five runs
of each question in milliseconds, as psql's \\timing tells it, slowest first.
"""

import argparse
import re
import statistics
import subprocess
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from service.store import psql, psqlrc  # noqa: E402

RUNS = 5
SUBJECTS = {"since": "1 hour", "task": "task-100000007", "request": "none", "agent": "none"}


def milliseconds(dsn: str, name: str) -> float:
    """Median of some runs of one question, its answer thrown away."""
    statement = psqlrc.QUESTIONS[name]
    given = [f"--set={variable}={value}" for variable, value in SUBJECTS.items()]
    command = [psql.find(), "-X", "-q", "--set=ON_ERROR_STOP=1", "-o", "/dev/null", *given]
    script = "\\timing on\n" + f"{statement}\n" * RUNS
    environment = psql.environment(dsn)
    done = subprocess.run(command, env=environment, input=script, capture_output=True, text=True, check=True)
    return statistics.median(float(took) for took in re.findall(r"Time: ([\d.]+) ms", done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dsn")
    dsn = parser.parse_args().dsn
    took = {name: milliseconds(dsn, name) for name in psqlrc.QUESTIONS.texts}
    for name, median in sorted(took.items(), key=lambda each: -each[1]):
        print(f":{name:12} {median:8.1f} ms")


if __name__ == "__main__":
    main()
