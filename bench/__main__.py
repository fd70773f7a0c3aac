"""`make bench`: the journey of the penguins and the warm prediction, beside their targets."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.cloud import LocalCloud

CHECKOUT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure on a local cloud of its own, and print figures beside targets."""
    console = Console()
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCloud.started(Path(directory), warm=True, say=console.print) as cloud,
    ):
        os.environ.update(
            AWS_ENDPOINT_URL=cloud.endpoint_url,
            AWS_DEFAULT_REGION=cloud.outputs.region,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
        )
        from bench.journey import measure_journey
        from bench.prediction import measure_init, measure_latency

        began = time.perf_counter()
        cloud.wait_until_warm()
        warming = time.perf_counter() - began
        first = measure_journey(cloud, "penguins-first", CHECKOUT / "examples" / "penguins")
        second = measure_journey(cloud, "penguins-second", CHECKOUT / "examples" / "penguins")
        latency = measure_latency(cloud, "penguins-second")
        init = measure_init(CHECKOUT)
    table = Table(title="Evergreen on this machine")
    for head in ("what", "measured", "target"):
        table.add_column(head, justify="left" if head == "what" else "right")
    table.add_row("workers imported, after the stack is there", f"{warming:.1f} s", "")
    for name, journey in (("first upload", first), ("next upload", second)):
        table.add_row(f"{name}: penguins to answer", f"{journey.total:.1f} s", "≤ 20 s")
        table.add_row("  of it, fitting models", f"{journey.fitting:.1f} s", "")
        table.add_row("  of it, everything else", f"{journey.rest:.1f} s", "≤ 4 s")
    table.add_row("predict over HTTP, p50", f"{latency.p50 * 1e3:.1f} ms", "≤ 10 ms")
    table.add_row("predict over HTTP, p95", f"{latency.p95 * 1e3:.1f} ms", "")
    table.add_row("predict: import and init, median of 5", f"{init * 1e3:.0f} ms", "≤ 600 ms")
    console.print(table)


if __name__ == "__main__":
    main()
