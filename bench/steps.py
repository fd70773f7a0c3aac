"""What it costs to be asked with uploaded columns: a flight whose model joins three tables."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.figures import Figure
from bench.one_cloud import one_cloud, wait_for_answer
from demo.endpoint import Endpoint
from local.cloud import LocalCloud

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "flights"
FILES = {
    "planes.csv": "planes/planes.csv",
    "airports.csv": "airports/airports.csv",
    "weather.parquet": "weather/weather.parquet",
    "flights/2013-01.parquet": "flights/2013-01.parquet",
}
UPLOADED = {
    "sched_dep_time": 600,
    "sched_arr_time": 745,
    "carrier": "MQ",
    "flight": 301,
    "tailnum": "N725MQ",
    "origin": "LGA",
    "dest": "ORD",
    "distance": 733,
    "hour": 6,
    "minute": 0,
    "time_hour": "2013-04-01T10:00:00",
}
JOINED = {
    "planes_year": 2001,
    "manufacturer": "EMBRAER",
    "model": "EMB-145",
    "engines": 2,
    "seats": 55,
    "dest_lat": 41.98,
    "dest_lon": -87.9,
    "dest_alt": 668,
    "dest_tz": -6,
    "temp": 46.94,
    "dewp": 42.8,
    "humid": 87.19,
    "wind_dir": 250,
    "wind_speed": 6.9,
    "wind_gust": None,
    "precip": 0,
    "pressure": None,
    "visib": 10,
}
"""What the steps make of it: a row that carries all of it needs no engine."""


def measure(console: Console, requests: int = 300) -> list[Figure]:
    """The same model asked with and without the columns that its steps make, in turns."""
    with one_cloud(console, warm=True) as cloud:
        endpoint = Endpoint(cloud.outputs.api_url, cloud.outputs.api_key, "flights")
        _train(cloud, endpoint)
        first = _timed(endpoint, [UPLOADED])
        rows = {"without": {**UPLOADED, **JOINED}, "with": UPLOADED}
        times: Mapping[str, list[float]] = {name: [] for name in rows}
        for number in range(requests + 20):
            for name, row in rows.items():
                seconds = _timed(endpoint, [row])
                if number >= 20:
                    times[name].append(seconds)
        chunk = _timed(endpoint, [UPLOADED] * 1000)
    p50 = {name: statistics.median(some) * 1e3 for name, some in times.items()}
    return [
        Figure("predict over HTTP, all columns sent, p50", f"{p50['without']:.1f} ms", "≤ 10 ms"),
        Figure("predict over HTTP, three joins made, p50", f"{p50['with']:.1f} ms", "≤ 10 ms"),
        Figure("  the first of them, which starts the engine", f"{first * 1e3:.0f} ms"),
        Figure("  1,000 rows in one request", f"{chunk * 1e3:.0f} ms"),
    ]


def _train(cloud: LocalCloud, endpoint: Endpoint) -> None:
    """Upload a month and what it joins, and wait for the first answer (without the engine)."""
    s3, bucket = cloud.client("s3"), cloud.outputs.uploads_bucket
    keys = {name: f"uploads/flights/{key}" for name, key in FILES.items()}
    for name, key in {**keys, "project.yaml": "projects/flights/project.yaml"}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=(EXAMPLE / name).read_bytes())
    wait_for_answer(endpoint, {**UPLOADED, **JOINED}, 300)


def _timed(endpoint: Endpoint, rows: Sequence[Mapping[str, Any]]) -> float:
    began = time.perf_counter()
    endpoint.predict(rows)
    return time.perf_counter() - began
