"""`python -m bench.unstructured text DATA`: a searched model beside what else one could have done.

In one process and without a cloud: prepare, search, fit, export, and answer the holdout rows with
the exported graph. Printed beside it is the majority class, and for text scikit-learn's TF-IDF
with logistic regression on the same rows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from rich.console import Console
from rich.table import Table

from evergreen.contracts.project_file import ProjectFile
from evergreen.data.ingestion import ingest
from evergreen.evaluation.agreement import agreement
from evergreen.evaluation.baseline import null_predictions
from evergreen.evaluation.metric_choice import search_metric
from evergreen.evaluation.metrics import METRICS
from evergreen.features.preparation import Prepared, prepare
from evergreen.serving.graph import ServingGraph
from evergreen.training.export import export
from evergreen.training.feature_choice import feature_choice
from evergreen.training.fit import fit
from evergreen.training.leak_probe import probe
from evergreen.training.plan import Ended, first_rung, next_rung
from evergreen.training.trial import run_trial

METRIC_NAMES = ("accuracy", "balanced_accuracy", "roc_auc", "log_loss")

Scores = dict[str, float]


def scores_of(target: Any, probabilities: Any) -> Scores:
    """The metrics of the table; those that a task has not are NaN."""
    found = {}
    for name in METRIC_NAMES:
        binary = probabilities.shape[1] == 2
        usable = name != "roc_auc" or binary
        found[name] = METRICS[name].function(target, probabilities) if usable else float("nan")
    return found


def searched(made: Prepared, project: ProjectFile, seed: int) -> tuple[str, Scores, float]:
    """Search, fit and export as the functions do, and score the graph on the holdout."""
    rows = made.training_set
    reasons = feature_choice(rows) | {each.column: "a leak" for each in probe(rows, seed)}
    rows = rows.with_columns(rows.signature.without(reasons))
    metric = search_metric(project.search.metric, rows.signature.task.value)
    results: list[Any] = []
    trials: Any = first_rung(rows.signature.task.value, project.search, seed)
    while not isinstance(trials, Ended):
        results += [run_trial(rows, each, project.search.folds, metric, seed) for each in trials]
        trials = next_rung(results, rows.signature.task.value, project.search, seed)
    fitted = fit(rows, trials.winner, seed)
    graph = ServingGraph.load(export(fitted), rows.signature)
    held = rows.part(holdout=True)
    answered = graph.predict(held.rows)
    compared = agreement(fitted.predict(held.rows), answered)
    assert compared.agrees, compared
    name = f"Evergreen ({trials.winner.family})"
    return name, scores_of(held.target, answered), compared.largest_difference


def majority(made: Prepared) -> Scores:
    """What knowing no column reaches."""
    rows = made.training_set
    classes, held = len(rows.signature.classes), rows.part(holdout=True)
    null = null_predictions(rows.part(holdout=False).target, classes, len(held))
    return scores_of(held.target, null)


def tfidf(table: Path, column: str, made: Prepared) -> Scores:
    """scikit-learn's TF-IDF with logistic regression, both as they come, on the same rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    with duckdb.connect() as connection:
        texts = [
            text or ""
            for (text,) in connection.execute(f"SELECT \"{column}\" FROM '{table}'").fetchall()
        ]
    held, target = made.training_set.holdout, made.training_set.target
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=500))
    model.fit([text for text, out in zip(texts, held, strict=True) if not out], target[~held])
    return scores_of(
        target[held],
        model.predict_proba([text for text, out in zip(texts, held, strict=True) if out]),
    )


def compare(
    name: str, files: Sequence[Path], target: str, text: str | None, **preparation: Any
) -> Table:
    """Ingest the files as parts of one dataset, and compare models on its holdout."""
    project = ProjectFile.model_validate(
        {"project": "p", "dataset": "d", "target": target, "preparation": preparation}
    )
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        parts, known = [], None
        began = time.perf_counter()
        for number, file in enumerate(files):
            parts.append(place / f"{number}.parquet")
            taken = ingest(file, file.name, parts[-1], known=known)
            known = taken.schema
        ingested = time.perf_counter() - began
        written = place / "table.parquet"
        made = prepare(project, {"d": parts}, seed=1, table=written)
        began = time.perf_counter()
        found, scores, difference = searched(made, project, seed=1)
        took = time.perf_counter() - began
        rows = {"majority": majority(made), found: scores}
        if text is not None:
            rows["scikit-learn TF-IDF + LR"] = tfidf(written, text, made)
    table = Table(
        title=f"{name}: {made.rows:,} rows, {made.split}; "
        f"ingested in {ingested:.1f} s, searched in {took:.0f} s, "
        f"graph differs by {difference:.1e}"
    )
    for head in ("on the holdout", *METRIC_NAMES):
        table.add_column(head, justify="left" if head == "on the holdout" else "right")
    for row, values in rows.items():
        cells = (f"{v:.3f}" if np.isfinite(v) else "–" for v in values.values())
        table.add_row(row, *cells)
    return table


def main() -> None:
    """Compare on one file or several parts of a dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--target", default="label")
    parser.add_argument("--text", help="the text column that scikit-learn's model reads")
    parser.add_argument("--group", help="SQL for what must stay on one side of the split")
    given = parser.parse_args()
    preparation: dict[str, Any] = {}
    if given.group:
        preparation = {"steps": [{"derive": {"unit": given.group}}], "group": "unit"}
    table = compare(given.files[0].name, given.files, given.target, given.text, **preparation)
    Console().print(table)


if __name__ == "__main__":
    main()
