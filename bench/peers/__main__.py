"""`make bench-peers`: profile and checks of one table, here and with those libraries, taking turns.

Each run is a process of its own that reports the seconds of the work alone: imports and what is
set up once (a connection here, a context there) are not counted, nor, for the others, reading the
table into pandas.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
PEERS = CHECKOUT / ".venv-peers" / "bin" / "python"
RUNS = 7
ROWS = 100_000
DRAWN = "(hash(i * 31 + {n}) % 1000000) / 1000000.0"
"""A number from 0 to 1 that depends on row and column alone: the table is the same everywhere."""


def main() -> None:
    """Write the table, let both take turns, and print their times side by side."""
    console = Console()
    with tempfile.TemporaryDirectory() as directory:
        rows, text = Path(directory, "flights.parquet"), Path(directory, "flights.csv")
        write_table(rows, text)
        ours, theirs = [], []
        for number in range(RUNS):
            ours.append(run([sys.executable, "-m", "bench.peers.ours", str(rows)]))
            theirs.append(run([str(PEERS), str(HERE / "theirs.py"), str(text)]))
            console.print(
                f"run {number + 1}: {ours[-1]['profile'] + ours[-1]['checks']:.2f} s here, "
                f"{theirs[-1]['profile'] + theirs[-1]['checks']:.2f} s there"
            )
    if ours[0]["broken"] != theirs[0]["broken"]:
        console.print(f"they disagree: {ours[0]['broken']} here, {theirs[0]['broken']} there")
        sys.exit(1)
    rules = json.loads((HERE / "rules.json").read_text())
    table = Table(
        title=f"{ROWS:,} × 19, {len(rules)} rules, of which both find {len(ours[0]['broken'])} "
        f"broken; medians of {RUNS} runs",
        title_justify="left",
    )
    for head in ("what", "Evergreen", theirs[0]["versions"], "ratio", "target"):
        table.add_column(head, justify="left" if head == "what" else "right")
    for what in ("profile", "checks"):
        table.add_row(what, *beside([each[what] for each in ours], [each[what] for each in theirs]))
    both = [[each["profile"] + each["checks"] for each in runs] for runs in (ours, theirs)]
    table.add_row("both", *beside(*both), "≥ 5 ×")
    console.print(table)


def beside(ours: list[float], theirs: list[float]) -> tuple[str, str, str]:
    """Medians, and how many times faster."""
    here, there = statistics.median(ours), statistics.median(theirs)
    return f"{here:.2f} s", f"{there:.2f} s", f"{there / here:.1f} ×"


def run(command: list[str]) -> dict[str, Any]:
    """What one run reports: seconds of `profile` and `checks`, labels of the `broken` rules."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    reported: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return reported


def write_table(rows: Path, text: Path) -> None:
    """A table like New York's flights, with gaps and a few values that break rules."""
    a, b, c, d, e = (DRAWN.format(n=n) for n in range(5))
    query = f"""
    SELECT i AS id, 2013 AS year, 1 + i * 12 // {ROWS} AS month, 1 + (i % 31) AS day,
        CASE WHEN {a} > 0.025 THEN 1 + CAST({b} * 2399 AS INTEGER) END AS dep_time,
        500 + CAST({b} * 1800 AS INTEGER) AS sched_dep_time,
        CASE WHEN {a} > 0.025 THEN round(-20 - 40 * ln({c} + 0.001) * {d}, 0) END AS dep_delay,
        CASE WHEN {a} > 0.026 THEN 1 + CAST({c} * 2399 AS INTEGER) END AS arr_time,
        CASE WHEN {a} > 0.028 THEN round(-40 - 60 * ln({c} + 0.001) * {d}, 0) END AS arr_delay,
        'c' || CAST(floor({d} * {d} * 14) AS INTEGER) AS carrier,
        CAST({e} * 8000 AS INTEGER) AS flight,
        CASE WHEN {a} > 0.007 THEN 'N' || (100 + CAST({e} * 90000 AS INTEGER)) END AS tailnum,
        (['EWR', 'JFK', 'LGA'])[1 + CAST(floor({c} * 3) AS INTEGER)] AS origin,
        'D' || (10 + CAST(floor({e} * 89) AS INTEGER)) AS dest,
        CASE WHEN {a} > 0.028 THEN 20 + CAST({b} * 600 AS INTEGER) END AS air_time,
        17 + CAST({b} * 4900 AS INTEGER) AS distance,
        i % 24 AS hour, CAST({d} * 59 AS INTEGER) AS minute,
        TIMESTAMP '2013-01-01' + to_hours(i * 8760 // {ROWS}) AS time_hour
    FROM range({ROWS}) AS numbers(i)
    """
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{rows}' (FORMAT parquet)")
        connection.execute(f"COPY (FROM '{rows}') TO '{text}' (HEADER)")


if __name__ == "__main__":
    main()
