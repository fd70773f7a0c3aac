"""A 2 GB CSV ingested, profile and checks included, beside DuckDB's bare COPY of the same file.

Each run is a process of its own, so that its peak memory is its own; the two take turns, because
a machine's speed drifts.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.console import Console

from bench.figures import Figure

ROWS = 24_000_000
RUNS = 5
TABLE = """
SELECT i AS id, round(random() * 1000, 3) AS price, CAST(floor(random() * 100) AS INTEGER) AS qty,
    (['red', 'green', 'blue', 'black'])[1 + CAST(floor(random() * 4) AS INTEGER)] AS colour,
    TIMESTAMP '2024-01-01' + to_seconds(i) AS at,
    CASE WHEN random() > 0.05 THEN round(random(), 6) END AS score,
    'customer ' || CAST(floor(random() * 100000) AS INTEGER) AS customer,
    random() < 0.5 AS paid, round(random() * 90, 5) AS latitude,
    (['no', 'yes'])[1 + CAST(floor(random() * 2) AS INTEGER)] AS target
FROM range({rows}) AS numbers(i)
"""
"""Ten columns as they are uploaded: keys, money, counts, categories, times, gaps, places."""


@dataclass(frozen=True)
class Run:
    """Seconds that one process worked, and its peak memory in MiB."""

    seconds: float
    peak: float


def measure(console: Console, rows: int = ROWS) -> list[Figure]:
    """Write the file, then let both take turns."""
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        source = scratch / "large.csv"
        console.print(f"writing {rows:,} rows")
        with duckdb.connect() as connection:
            connection.execute("SET threads = 1; SELECT setseed(0.42)")
            connection.execute(f"COPY ({TABLE.format(rows=rows)}) TO '{source}' (HEADER)")
        size = source.stat().st_size / 1e9
        console.print(f"{size:.2f} GB; {RUNS} runs of each")
        copies, ours = [], []
        for number in range(RUNS):
            copies.append(_run("copy", source, scratch))
            ours.append(_run("ingest", source, scratch))
            console.print(
                f"  run {number + 1}: COPY {copies[-1].seconds:.1f} s, "
                f"ingested and profiled {ours[-1].seconds:.1f} s, {ours[-1].peak:.0f} MiB"
            )
    copy, ingest = (statistics.median(run.seconds for run in runs) for runs in (copies, ours))
    ratio = statistics.median(
        one.seconds / other.seconds for one, other in zip(copies, ours, strict=True)
    )
    peak = max(run.peak for run in ours)
    return [
        Figure(f"{size:.2f} GB CSV, DuckDB's bare COPY to Parquet", f"{copy:.1f} s"),
        Figure("  ingested, checked and profiled", f"{ingest:.1f} s"),
        Figure("  speed beside COPY, median of pairs", f"{ratio:.2f} ×", "≥ 0.6 ×"),
        Figure("  peak memory of the process", f"{peak:.0f} MiB", "≤ 700 MB"),
    ]


def _run(what: str, source: Path, scratch: Path) -> Run:
    done = subprocess.run(
        [sys.executable, "-m", "bench.one_ingestion", what, str(source), str(scratch)],
        capture_output=True,
        text=True,
        check=True,
    )
    return Run(**json.loads(done.stdout))
