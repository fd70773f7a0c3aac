"""A fitted model as one ONNX graph: preprocessing, model and calibration, in repeatable bytes.

The graph takes `numbers` float (rows, k) and `categories` text (rows, m), without the one that has
no columns, and gives `probabilities` (rows, classes) or `values` (rows, 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from evergreen.training.calibration import SMALLEST_PROBABILITY
from evergreen.training.fit import FittedModel

OPSETS = {"": 18, "ai.onnx.ml": 3}
"""Fixed, so that a newer library on the laptop writes the same graph as the one on Lambda."""

IR_VERSION = 8


def export(fitted: FittedModel) -> bytes:
    """The model as an ONNX file; the same model gives the same bytes."""
    classification = bool(fitted.signature.classes)
    options = {id(fitted.pipeline): {"zipmap": False}} if classification else None
    model = convert_sklearn(
        fitted.pipeline,
        # Without a name it would be given a random one.
        name="evergreen",
        initial_types=_inputs(fitted),
        options=options,
        target_opset=OPSETS,
    )
    graph = model.graph
    result = _renamed(graph, graph.output[-1].name, "evergreen_learnt")
    if classification:
        result = _calibrate(graph, result, fitted)
        result = _spread(graph, result, fitted)
    _answer_only(graph, result, fitted)
    _make_repeatable(model)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _inputs(fitted: FittedModel) -> list[tuple[str, Any]]:
    numbers = len(fitted.signature.number_names)
    categories = len(fitted.signature.category_names)
    inputs: list[tuple[str, Any]] = []
    if numbers:
        inputs.append(("numbers", FloatTensorType([None, numbers])))
    if categories:
        inputs.append(("categories", StringTensorType([None, categories])))
    return inputs


def _renamed(graph: Any, old: str, new: str) -> str:
    """Free the converter's name of a tensor, which may be the public one."""
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    return new


def _calibrate(graph: Any, result: str, fitted: FittedModel) -> str:
    """Append softmax(slope · log p + shifts)."""
    if fitted.calibration is None:
        return result
    floor = _constant(graph, "smallest_probability", np.float32(SMALLEST_PROBABILITY))
    slope = _constant(graph, "slope", np.float32(fitted.calibration.slope))
    shifts = _constant(graph, "shifts", np.asarray(fitted.calibration.shifts, np.float32))
    result = _append(graph, "Max", [result, floor], "lifted")
    result = _append(graph, "Log", [result], "logs")
    result = _append(graph, "Mul", [result, slope], "sloped")
    result = _append(graph, "Add", [result, shifts], "shifted")
    return _append(graph, "Softmax", [result], "calibrated", axis=1)


def _spread(graph: Any, result: str, fitted: FittedModel) -> str:
    """Put the classes that were learnt into the columns of all classes; the others get 0."""
    seen, classes = fitted.pipeline.classes_, len(fitted.signature.classes)
    if len(seen) == classes:
        return result
    columns = np.zeros((len(seen), classes), dtype=np.float32)
    columns[np.arange(len(seen)), seen] = 1.0
    return _append(graph, "MatMul", [result, _constant(graph, "columns", columns)], "spread")


def _answer_only(graph: Any, result: str, fitted: FittedModel) -> None:
    """Make `result` the only output, by its public name, and drop what does not lead to it."""
    classes = len(fitted.signature.classes)
    name, width = ("probabilities", classes) if classes else ("values", 1)
    _append(graph, "Identity", [result], name, public=True)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width]))
    del graph.value_info[:]
    wanted = {name}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [constant for constant in graph.initializer if constant.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def _make_repeatable(model: Any) -> None:
    """Drop who made the file, and order what the converter keeps in a set."""
    versions = {opset.domain: opset.version for opset in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(
        helper.make_opsetid(domain, version) for domain, version in sorted(versions.items())
    )
    model.ir_version = IR_VERSION
    for field in ("producer_name", "producer_version", "doc_string", "domain", "model_version"):
        model.ClearField(field)
    del model.metadata_props[:]


def _constant(graph: Any, name: str, value: Any) -> str:
    tensor = numpy_helper.from_array(np.asarray(value), f"evergreen_{name}")
    graph.initializer.append(tensor)
    return str(tensor.name)


def _append(
    graph: Any,
    operator: str,
    inputs: list[str],
    output: str,
    *,
    public: bool = False,
    axis: int | None = None,
) -> str:
    name = output if public else f"evergreen_{output}"
    node = helper.make_node(operator, inputs, [name], f"node_{name}")
    if axis is not None:
        node.attribute.append(helper.make_attribute("axis", axis))
    graph.node.append(node)
    return name
