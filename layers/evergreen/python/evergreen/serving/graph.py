"""The serving graph: an exported model, loaded once and asked many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded
from evergreen.features.signature import Signature

WARNINGS_AND_WORSE = 3


class GraphMismatchError(Exception):
    """A graph that does not take or give what its signature says; it must not be served."""


@dataclass(frozen=True)
class ServingGraph:
    """A model that answers rows; safe to ask from several threads."""

    signature: Signature
    session: Any

    @staticmethod
    def load(content: bytes, signature: Signature) -> ServingGraph:
        """Load an exported graph.

        Raises
        ------
        GraphMismatchError
            If it is no graph, or not one of this signature.
        """
        options = onnxruntime.SessionOptions()
        # One request at a time on a fraction of a core: more threads wait for each other, and
        # spinning ones burn the core that the answer needs.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = WARNINGS_AND_WORSE
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except (RuntimeError, ValueError) as problem:
            raise GraphMismatchError(f"not a graph that can be served: {problem}") from problem
        _check(session, signature)
        return ServingGraph(signature, session)

    def predict(self, rows: Encoded) -> NDArray[np.float64]:
        """Probabilities (rows, classes) in the order of the signature, or values (rows,)."""
        classes = len(self.signature.classes)
        if len(rows) == 0:
            return np.empty((0, classes) if classes else 0)
        inputs: dict[str, NDArray[Any]] = {}
        if rows.numbers.shape[1]:
            inputs["numbers"] = rows.numbers
        if rows.categories.shape[1]:
            inputs["categories"] = rows.categories
        answer: NDArray[np.float64] = self.session.run(None, inputs)[0].astype(np.float64)
        return answer if classes else answer.reshape(-1)


def _check(session: Any, signature: Signature) -> None:
    """Compare the graph's inputs and output with the signature's columns and classes."""
    widths = {
        "numbers": len(signature.number_names),
        "categories": len(signature.category_names),
    }
    wanted = {name: width for name, width in widths.items() if width}
    found = {taken.name: taken.shape[1] for taken in session.get_inputs()}
    if found != wanted:
        raise GraphMismatchError(f"the graph takes {found}, its signature says {wanted}")
    output = session.get_outputs()[0]
    answer = (output.name, output.shape[1])
    said = ("probabilities", len(signature.classes)) if signature.classes else ("values", 1)
    if answer != said:
        raise GraphMismatchError(f"the graph gives {answer}, its signature says {said}")
