"""The bytes of a graph depend on rows, trial and seed: not on the process, nor on its history."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from evergreen.features.signature import Kind, Task
from evergreen.training.export import export
from evergreen.training.families import settle
from evergreen.training.fit import fit
from evergreen.training.fitting import fit_pipeline
from evergreen.training.plan import Trial
from evergreen.training.spaces import SPACES
from tests.unit.training.sets import only, training_set

ROOT = Path(__file__).parents[3]
PROBE = """
import hashlib
from evergreen.features.signature import Task
from evergreen.training.export import export
from evergreen.training.fit import fit
from evergreen.training.plan import Trial
from evergreen.training.spaces import SPACES
from tests.unit.training.sets import training_set
for family in SPACES:
    fitted = fit(training_set(Task.BINARY), Trial(0, 0, family, SPACES[family].default), seed=1)
    print(family, hashlib.sha256(export(fitted)).hexdigest())
"""


def digests(hash_seed: str) -> str:
    environment = {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "layers/evergreen/python"), str(ROOT)]),
        "PYTHONHASHSEED": hash_seed,
        "OMP_NUM_THREADS": "1",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def test_two_processes_write_the_same_graphs() -> None:
    first = digests("1")
    assert len(first.split()) == 6
    assert digests("2") == first


def test_a_graph_says_nothing_of_when_and_where_it_was_made() -> None:
    fitted = fit(training_set(Task.BINARY), Trial(0, 0, "boosting", SPACES["boosting"].default), 1)
    graph = onnx.load_from_string(export(fitted))
    assert graph.graph.name == "evergreen"
    assert (graph.producer_name, graph.producer_version, graph.doc_string) == ("", "", "")
    assert [each.domain for each in graph.opset_import] == ["", "ai.onnx.ml"]
    assert [each.name for each in graph.graph.input] == ["numbers", "categories"]
    assert [each.name for each in graph.graph.output] == ["probabilities"]


@pytest.mark.parametrize(
    ("kind", "inputs"), [(Kind.NUMBER, ["numbers"]), (Kind.CATEGORY, ["categories"])]
)
def test_an_input_without_columns_is_left_out(kind: Kind, inputs: list[str]) -> None:
    rows = only(kind, training_set(Task.REGRESSION))
    graph = onnx.load_from_string(
        export(fit(rows, Trial(0, 0, "linear", SPACES["linear"].default), 1))
    )
    assert [each.name for each in graph.graph.input] == inputs
    assert [each.name for each in graph.graph.output] == ["values"]


def test_settling_parts_the_same_rows_and_is_done_once() -> None:
    rows = training_set(Task.BINARY)
    trial = Trial(0, 0, "boosting", SPACES["boosting"].default)
    pipeline = fit_pipeline(rows, trial, seed=1)
    thresholds = np.concatenate(
        [tree.nodes["num_threshold"] for trees in pipeline[-1]._predictors for tree in trees]
    )
    assert (thresholds.astype(np.float32).astype(np.float64) == thresholds).all()
    settle(pipeline)
    again = np.concatenate(
        [tree.nodes["num_threshold"] for trees in pipeline[-1]._predictors for tree in trees]
    )
    assert (thresholds == again).all()
