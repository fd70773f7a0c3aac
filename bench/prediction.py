"""What one prediction costs: a warm request over HTTP, and a cold start."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from demo.endpoint import Endpoint
from local.cloud import LocalCloud

ROW = {"Island": "Biscoe", "Culmen Length (mm)": 46.1, "Body Mass (g)": 4500}
PROBE = "import time; began = time.perf_counter(); import app; print(time.perf_counter() - began)"


@dataclass(frozen=True)
class Latency:
    """Seconds of the middle request, and of the one that 19 of 20 beat."""

    p50: float
    p95: float


def measure_latency(cloud: LocalCloud, project: str, requests: int = 500) -> Latency:
    """Time sequential one-row requests on one connection, after 20 that do not count."""
    endpoint = Endpoint(cloud.outputs.api_url, cloud.outputs.api_key, project)
    times = []
    for number in range(requests + 20):
        began = time.perf_counter()
        endpoint.predict([ROW])
        if number >= 20:
            times.append(time.perf_counter() - began)
    return Latency(statistics.median(times), statistics.quantiles(times, n=20)[-1])


def measure_init(checkout: Path, runs: int = 5) -> float:
    """The median time that a fresh interpreter needs to import and set up `predict`."""
    paths = [checkout / "layers/evergreen/python", checkout / "functions/predict"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(path) for path in paths),
        "CATALOGUE_TABLE": "t",
        "LAKE_BUCKET": "b",
        "CAPTURE_QUEUE_URL": "q",
    }
    times = []
    for _ in range(runs + 1):
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        times.append(float(done.stdout.splitlines()[-1]))
    return statistics.median(times[1:])  # the first may write bytecode
