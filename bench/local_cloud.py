"""The journey of the penguins and the warm prediction, on a local cloud of their own."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from bench.figures import Figure
from bench.journey import measure_journey
from bench.one_cloud import one_cloud
from bench.prediction import measure_init, measure_latency

CHECKOUT = Path(__file__).resolve().parent.parent


def measure(console: Console) -> list[Figure]:
    """Two uploads from file to answer, requests one after the other, and a cold start."""
    with one_cloud(console, warm=True) as cloud:
        began = time.perf_counter()
        cloud.wait_until_warm()
        warming = time.perf_counter() - began
        first = measure_journey(cloud, "penguins-first", CHECKOUT / "examples" / "penguins")
        second = measure_journey(cloud, "penguins-second", CHECKOUT / "examples" / "penguins")
        latency = measure_latency(cloud, "penguins-second")
        init = measure_init(CHECKOUT)
    figures = [Figure("workers imported, after the stack is there", f"{warming:.1f} s")]
    for name, journey in (("first upload", first), ("next upload", second)):
        figures += [
            Figure(f"{name}: penguins to answer", f"{journey.total:.1f} s", "≤ 20 s"),
            Figure("  of it, fitting models", f"{journey.fitting:.1f} s"),
            Figure("  of it, everything else", f"{journey.rest:.1f} s", "≤ 4 s"),
        ]
    return [
        *figures,
        Figure("predict over HTTP, p50", f"{latency.p50 * 1e3:.1f} ms", "≤ 10 ms"),
        Figure("predict over HTTP, p95", f"{latency.p95 * 1e3:.1f} ms"),
        Figure("predict: import and init, median of 5", f"{init * 1e3:.0f} ms", "≤ 600 ms"),
    ]
