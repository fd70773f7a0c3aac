"""`python -m bench.labelling CSV TARGET`: what 500 labels are worth, listed or at random.

In one process and without a cloud: a third of the rows is the judge and never labelled. From 100
labels drawn at random, five rounds of 100 more: fit, export, ask the serving graph about the
unlabelled rows, choose, label. Repeated with other draws; the difference to random labels is paired
by draw, with its 95 % interval over the draws (of one dataset: not over all that people may have).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import t as students_t

from evergreen.contracts.project_file import ProjectFile, Search
from evergreen.data.ingestion import ingest
from evergreen.evaluation.metrics import METRICS
from evergreen.features.preparation import prepare
from evergreen.features.training_set import TrainingSet
from evergreen.labelling.shortlist import shortlist
from evergreen.labelling.uncertainty import uncertainty
from evergreen.serving.graph import ServingGraph
from evergreen.training.export import export
from evergreen.training.fit import fit
from evergreen.training.plan import first_rung

START, ROUND, ROUNDS, POOL = 100, 100, 5, 5_000
NAMES = ("accuracy", "roc_auc", "log_loss")

Rows = NDArray[np.int64]
Scores = Mapping[str, float]


def all_rows(source: Path, target: str) -> TrainingSet:
    """Every row of a file, encoded as the project that only names its target would."""
    project = ProjectFile.model_validate({"project": "p", "dataset": "rows", "target": target})
    with tempfile.TemporaryDirectory() as directory:
        part = Path(directory, "rows.parquet")
        ingest(source, source.name, part)
        made = prepare(project, {"rows": [part]}, seed=1, table=Path(directory, "table.parquet"))
    return made.training_set


def some(rows: TrainingSet, chosen: Rows) -> TrainingSet:
    """The chosen rows, all to learn from."""
    return replace(
        rows,
        rows=rows.rows.take(chosen),
        target=rows.target[chosen],
        holdout=np.zeros(len(chosen), dtype=bool),
    )


@dataclass(frozen=True)
class Way:
    """A way of choosing: the share of the list that is drawn at random (1: all of it)."""

    name: str
    random: float


WAYS = (Way("random", 1.0), Way("uncertainty", 0.0), Way("list (a fifth at random)", 0.2))


def scored(graph: ServingGraph, rows: TrainingSet, chosen: Rows) -> Scores:
    """How the graph does on some rows."""
    predictions = graph.predict(rows.rows.take(chosen))
    return {name: METRICS[name].function(rows.target[chosen], predictions) for name in NAMES}


def simulate(rows: TrainingSet, family: str, way: Way, seed: int) -> list[Scores]:
    """Label round by round; the scores on the judge after each, the first before any choice.

    The last entry has `accuracy on its own labels`: of the model before the last round, on the
    labels that this round brought.
    """
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    judge, rest = shuffled[: len(rows) // 3], shuffled[len(rows) // 3 :]
    labelled, pool = rest[:START], rest[START : START + POOL]
    trial = first_rung("binary", Search(families=[family], trials=1), seed)[0]  # type: ignore[list-item]
    found: list[Scores] = []
    own = float("nan")
    for number in range(ROUNDS + 1):
        graph = ServingGraph.load(export(fit(some(rows, labelled), trial, seed)), rows.signature)
        found.append(scored(graph, rows, judge))
        if number == ROUNDS:
            break
        encoded = rows.rows.take(pool)
        doubt = uncertainty(graph.predict(encoded), [()] * len(pool), rows.signature)
        chosen = shortlist(doubt.values, encoded, ROUND, way.random, seed * 1_000 + number)
        places = np.array([each.row for each in chosen])
        own = scored(graph, rows, pool[places])["accuracy"]
        labelled, pool = np.append(labelled, pool[places]), np.delete(pool, places)
    found[-1] = {**found[-1], "accuracy on its own labels": own}
    return found


def interval(differences: Sequence[float]) -> str:
    """Mean and 95 % interval by Student's t."""
    values = np.array(differences)
    slack = students_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.4f} ± {slack:.4f}"


def main() -> None:
    """Simulate every way with the same draws, and print the differences."""
    parser = argparse.ArgumentParser(prog="python -m bench.labelling")
    parser.add_argument("csv", type=Path)
    parser.add_argument("target")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--families", nargs="*", default=["linear", "boosting"])
    asked = parser.parse_args()
    rows = all_rows(asked.csv, asked.target)
    console = Console(width=120)
    for family in asked.families:
        runs = {
            way.name: [simulate(rows, family, way, seed) for seed in range(asked.draws)]
            for way in WAYS
        }
        report(console, f"{asked.csv.stem}, {family}, {asked.draws} draws", runs)


def report(console: Console, title: str, runs: Mapping[str, list[list[Scores]]]) -> None:
    """Print the means after the last round, and what choosing gains over random labels."""
    table = Table(title=title, title_justify="left")
    for head in ("labels chosen by", "metric", "with 100", "with 600", "gain over random"):
        table.add_column(
            head, justify="left" if head in {"labels chosen by", "metric"} else "right"
        )

    def mean(of: list[list[Scores]], value: Callable[[list[Scores]], float]) -> float:
        return float(np.mean([value(run) for run in of]))

    for name, way in runs.items():
        for metric in NAMES:
            gains = [
                mine[-1][metric] - theirs[-1][metric]
                for mine, theirs in zip(way, runs["random"], strict=True)
            ]
            table.add_row(
                name,
                metric,
                f"{mean(way, lambda run, m=metric: run[0][m]):.4f}",  # type: ignore[misc]
                f"{mean(way, lambda run, m=metric: run[-1][m]):.4f}",  # type: ignore[misc]
                "" if name == "random" else interval(gains),
            )
        own = mean(way, lambda run: run[-1]["accuracy on its own labels"])
        table.add_row(name, "accuracy on its own labels", "", f"{own:.4f}", "")
    console.print(table)


if __name__ == "__main__":
    main()
