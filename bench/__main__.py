"""`make bench`: every benchmark, its figures beside their targets; `ARGS=ingestion` for one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from bench import ingestion, local_cloud, online, steps
from bench.figures import Figure

BENCHMARKS: Mapping[str, Callable[[Console], list[Figure]]] = {
    "journey": local_cloud.measure,
    "ingestion": ingestion.measure,
    "online": online.measure,
    "steps": steps.measure,
}


def main() -> None:
    """Measure what is asked for, one after the other, and print each table when it is there."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    asked = parser.parse_args().names or list(BENCHMARKS)
    if unknown := [name for name in asked if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    console = Console()
    for name in asked:
        table = Table(title=f"{name}, on this machine", title_justify="left")
        for head in ("what", "measured", "target"):
            table.add_column(head, justify="left" if head == "what" else "right")
        for figure in BENCHMARKS[name](console):
            table.add_row(figure.what, figure.measured, figure.target)
        console.print(table)


if __name__ == "__main__":
    main()
