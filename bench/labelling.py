"""`python -m bench.labelling CSV TARGET`: what 500 labels are worth, listed or at random.

In one process and without a cloud: a third of the rows is the judge and never labelled. From 100
labels drawn at random, five rounds of 100 more: fit, export, ask the serving graph about the
unlabelled rows, choose, label. Repeated with other draws; the difference to random labels is paired
by draw, with its 95 % interval over the draws (of one dataset: not over all that people may have).

Of a number to predict it is also told how well a measure of uncertainty orders rows that nobody
labelled by the error that the model really makes: Spearman's rho. CSV may be the word `friedman`,
for rows made by Friedman's first function with noise that is not the same everywhere.
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
from scipy.stats import spearmanr
from scipy.stats import t as students_t

from evergreen.contracts.project_file import ProjectFile, Search
from evergreen.data.ingestion import ingest
from evergreen.evaluation.metrics import METRICS
from evergreen.features.encoding import Encoded
from evergreen.features.preparation import prepare
from evergreen.features.training_set import TrainingSet
from evergreen.labelling.known_values import Known, off_known_values
from evergreen.labelling.shortlist import shortlist
from evergreen.labelling.uncertainty import margin
from evergreen.serving.graph import ServingGraph
from evergreen.training.export import export
from evergreen.training.fit import fit
from evergreen.training.plan import first_rung

START, ROUND, ROUNDS, POOL = 100, 100, 5, 5_000
NAMES = {
    "binary": ("accuracy", "roc_auc", "log_loss"),
    "multiclass": ("accuracy", "roc_auc", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
}

Rows = NDArray[np.int64]
Scores = Mapping[str, float]
Measure = Callable[[ServingGraph, TrainingSet, Encoded], NDArray[np.float64]]
"""Uncertainty of unlabelled rows, from the graph and the labelled ones."""


def all_rows(source: Path, target: str, drop: Sequence[str]) -> TrainingSet:
    """Every row of a file, encoded as the project that only names its target would."""
    steps = [{"drop": list(drop)}] if drop else []
    project = ProjectFile.model_validate(
        {"project": "p", "dataset": "rows", "target": target, "preparation": {"steps": steps}}
    )
    with tempfile.TemporaryDirectory() as directory:
        part = Path(directory, "rows.parquet")
        ingest(source, source.name, part)
        made = prepare(project, {"rows": [part]}, seed=1, table=Path(directory, "table.parquet"))
    return made.training_set


def friedman(path: Path) -> Path:
    """Write 6,000 rows of Friedman's first function, with noise that grows with a sixth column.

    (Friedman 1991, "Multivariate adaptive regression splines": five of ten columns matter.)
    """
    draw = np.random.default_rng(1)
    x = draw.random((6_000, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    y += 10 * x[:, 3] + 5 * x[:, 4] + draw.normal(size=len(x)) * (0.2 + 4 * x[:, 5] ** 2)
    names = ",".join([*(f"x{number}" for number in range(1, 11)), "y"])
    rows = np.column_stack([x, y])
    np.savetxt(path, rows, fmt="%.4f", delimiter=",", header=names, comments="")
    return path


def some(rows: TrainingSet, chosen: Rows) -> TrainingSet:
    """The chosen rows, all to learn from."""
    return replace(
        rows,
        rows=rows.rows.take(chosen),
        target=rows.target[chosen],
        holdout=np.zeros(len(chosen), dtype=bool),
        groups=rows.groups[chosen] if rows.groups.size else rows.groups,
    )


def by_margin(
    graph: ServingGraph,
    labelled: TrainingSet,  # noqa: ARG001 - a Measure
    asked: Encoded,
) -> NDArray[np.float64]:
    """What the product orders classes by."""
    return margin(graph.predict(asked)).values


def by_known_values(
    graph: ServingGraph, labelled: TrainingSet, asked: Encoded
) -> NDArray[np.float64]:
    """What the product orders numbers by."""
    known = Known(labelled.rows, labelled.target.astype(np.float64))
    return off_known_values(graph.predict, asked, known, seed=0).values


def by_values_never_seen(
    graph: ServingGraph,  # noqa: ARG001 - a Measure
    labelled: TrainingSet,
    asked: Encoded,
) -> NDArray[np.float64]:
    """What it ordered numbers by before: how many values of a row the labelled ones never had."""
    numbers, seen = asked.numbers, labelled.rows.numbers
    outside = (numbers < np.nanmin(seen, axis=0)) | (numbers > np.nanmax(seen, axis=0))
    found = outside.sum(axis=1).astype(np.float64)
    for column, known in zip(asked.categories.T, labelled.rows.categories.T, strict=True):
        found += ~np.isin(column.astype(str), known.astype(str))
    return found


@dataclass(frozen=True)
class Way:
    """A way of choosing: the share of the list that is drawn at random (1: all of it)."""

    name: str
    random: float
    measure: Measure


def ways_of(rows: TrainingSet) -> tuple[Way, ...]:
    """The ways that are compared."""
    measure = by_margin if rows.is_classification else by_known_values
    other = (
        Way("uncertainty", 0.0, measure)
        if rows.is_classification
        else Way("list by values never seen", 0.2, by_values_never_seen)
    )
    return Way("random", 1.0, measure), Way("list (a fifth at random)", 0.2, measure), other


def scored(graph: ServingGraph, rows: TrainingSet, chosen: Rows) -> Scores:
    """How the graph does on some rows."""
    predictions = graph.predict(rows.rows.take(chosen))
    names = NAMES[rows.signature.task.value]
    return {name: METRICS[name].function(rows.target[chosen], predictions) for name in names}


def ordered(graph: ServingGraph, rows: TrainingSet, labelled: Rows, judge: Rows) -> Scores:
    """Spearman's rho of the measures of numbers with the true absolute errors of the judge."""
    if rows.is_classification:
        return {}
    asked = rows.rows.take(judge)
    errors = np.abs(rows.target[judge] - graph.predict(asked))
    measures = {"rho": by_known_values, "rho of values never seen": by_values_never_seen}
    found = {name: by(graph, some(rows, labelled), asked) for name, by in measures.items()}
    # A measure that is the same for all rows orders nothing.
    return {
        name: float(spearmanr(values, errors).statistic) if np.ptp(values) else 0.0
        for name, values in found.items()
    }


def simulate(rows: TrainingSet, family: str, way: Way, seed: int) -> list[Scores]:
    """Label round by round; the scores on the judge after each, the first before any choice.

    The last entry has `… on its own labels`: of the model before the last round, on the labels
    that this round brought. Of random labels, the first and the last say how measures order.
    """
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    judge, rest = shuffled[: len(rows) // 3], shuffled[len(rows) // 3 :]
    labelled, pool = rest[:START], rest[START : START + POOL]
    task = rows.signature.task.value
    trial = first_rung(task, Search(families=[family], trials=1), seed)[0]  # type: ignore[list-item]
    found: list[Scores] = []
    own: Scores = {}
    for number in range(ROUNDS + 1):
        graph = ServingGraph.load(export(fit(some(rows, labelled), trial, seed)), rows.signature)
        found.append(scored(graph, rows, judge))
        if way.random == 1 and number in {0, ROUNDS}:
            found[-1] = {**found[-1], **ordered(graph, rows, labelled, judge)}
        if number == ROUNDS:
            break
        encoded = rows.rows.take(pool)
        doubt = way.measure(graph, some(rows, labelled), encoded)
        chosen = shortlist(doubt, encoded, ROUND, way.random, seed * 1_000 + number)
        places = np.array([each.row for each in chosen])
        own = scored(graph, rows, pool[places])
        labelled, pool = np.append(labelled, pool[places]), np.delete(pool, places)
    main = NAMES[task][0]
    found[-1] = {**found[-1], f"{main} on its own labels": own[main]}
    return found


def interval(values: NDArray[np.float64], digits: int = 4) -> str:
    """Mean and 95 % interval by Student's t."""
    slack = students_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():+.{digits}f} ± {slack:.{digits}f}"


def main() -> None:
    """Simulate every way with the same draws, and print the differences."""
    parser = argparse.ArgumentParser(prog="python -m bench.labelling")
    parser.add_argument("csv", type=Path)
    parser.add_argument("target")
    parser.add_argument("--drop", nargs="*", default=[], help="columns that are not known in time")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--families", nargs="*", default=["linear", "boosting"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        made = str(asked.csv) == "friedman"
        source = friedman(Path(directory, "friedman.csv")) if made else asked.csv
        rows = all_rows(source, asked.target, asked.drop)
    console = Console(width=120)
    for family in asked.families:
        runs = {
            way.name: [simulate(rows, family, way, seed) for seed in range(asked.draws)]
            for way in ways_of(rows)
        }
        report(console, f"{asked.csv.stem}, {family}, {asked.draws} draws", runs)


def report(console: Console, title: str, runs: Mapping[str, list[list[Scores]]]) -> None:
    """Print the means after the last round, and what choosing gains over random labels."""
    table = Table(title=title, title_justify="left")
    heads = ("labels chosen by", "metric", "with 100", "with 600", "gain over random", "in percent")
    for head in heads:
        table.add_column(head, justify="left" if head in heads[:2] else "right")
    for name, way in runs.items():
        last = {metric: [run[-1][metric] for run in way] for metric in way[0][-1]}
        for metric, values in last.items():
            before = [run[0][metric] for run in way if metric in run[0]]
            cells = [f"{np.mean(before):.4f}" if before else "", f"{np.mean(values):.4f}"]
            if name != "random" and metric in runs["random"][0][0]:
                theirs = [run[-1][metric] for run in runs["random"]]
                gains = np.subtract(values, theirs)
                cells += [interval(gains), interval(100 * gains / np.mean(theirs), 1)]
            table.add_row(name, metric, *cells)
    console.print(table)


if __name__ == "__main__":
    main()
