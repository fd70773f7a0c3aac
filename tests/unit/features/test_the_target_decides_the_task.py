"""Task and classes are found from the target's values unless they are declared."""

import pytest

from evergreen.features.signature import Task
from tests.unit.features.workshop import Workshop


def rows(target: str, count: int = 100) -> str:
    return f"SELECT (i * 37) % 101 AS x, {target} AS y FROM range({count}) r(i)"


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        ("i % 2 = 0", Task.BINARY, ("false", "true")),
        ("CASE WHEN i % 3 = 0 THEN 'Yes' ELSE 'No' END", Task.BINARY, ("No", "Yes")),
        ("CASE WHEN i % 3 = 0 THEN 'good' ELSE 'bad' END", Task.BINARY, ("bad", "good")),
        ("CASE WHEN i % 3 = 0 THEN 'bad' ELSE 'good' END", Task.BINARY, ("good", "bad")),
        ("i % 2", Task.BINARY, ("0", "1")),
        ("(i % 2)::DOUBLE", Task.BINARY, ("0", "1")),
        ("'c' || (i % 3)", Task.MULTICLASS, ("c0", "c1", "c2")),
        ("i % 10", Task.MULTICLASS, tuple(str(i) for i in range(10))),
        ("i % 11", Task.REGRESSION, ()),
        ("i % 4 + 0.5", Task.REGRESSION, ()),
        ("i", Task.REGRESSION, ()),
    ],
)
def test_the_task_is_found(
    workshop: Workshop, target: str, task: Task, classes: tuple[str, ...]
) -> None:
    made = workshop.prepare(rows(target))
    assert made.training_set.signature.task is task
    assert made.training_set.signature.classes == classes


def test_few_whole_numbers_in_few_rows_are_numbers(workshop: Workshop) -> None:
    made = workshop.prepare(rows("i % 10", 40))
    assert made.training_set.signature.task is Task.REGRESSION


def test_the_declared_task_wins(workshop: Workshop) -> None:
    assert workshop.prepare(rows("i % 10"), task="regression").training_set.target.dtype == "f8"
    made = workshop.prepare(rows("i % 20"), task="multiclass")
    assert made.training_set.signature.task is Task.MULTICLASS


@pytest.mark.parametrize(
    ("target", "positive", "last"),
    [
        ("CASE WHEN i % 3 = 0 THEN 'Yes' ELSE 'No' END", "No", "No"),
        ("CASE WHEN i % 3 = 0 THEN 'Yes' ELSE 'No' END", False, "No"),
        ("i % 2", 0, "0"),
        ("i % 2 = 0", True, "true"),
    ],
)
def test_the_positive_class_can_be_declared(
    workshop: Workshop, target: str, positive: object, last: str
) -> None:
    made = workshop.prepare(rows(target), positive=positive)
    assert made.training_set.signature.classes[-1] == last


def test_targets_are_places_among_the_classes(workshop: Workshop) -> None:
    made = workshop.prepare(rows("'c' || (i % 3)"))
    assert made.training_set.target.tolist() == [i % 3 for i in range(100)]
    assert made.training_set.target.dtype == "i8"


def test_rows_without_a_target_are_left_out_and_counted(workshop: Workshop) -> None:
    made = workshop.prepare(
        rows("CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'c' || i % 4 END")
    )
    assert (made.rows, made.dropped_without_target) == (50, 50)
    assert made.training_set.signature.classes == ("c2", "c3")


@pytest.mark.parametrize(
    ("target", "declared", "said"),
    [
        ("true", {}, "the target 'y' is 'true' in all 100 rows"),
        ("7.5", {}, "the target 'y' has the same value in all 100 rows"),
        ("CASE WHEN i < 19 THEN 1 END", {}, "19 rows have a value of 'y'; at least 20 are needed"),
        ("'t' || i", {}, "too many different values to be classes"),
        ("DATE '2020-01-01' + i::INTEGER", {}, "the target 'y' is DATE, which cannot be predicted"),
        ("'c' || (i % 3)", {"task": "binary"}, "the target 'y' has 3 classes: c0, c1, c2"),
        ("'c' || (i % 3)", {"task": "regression"}, "the target 'y' is text"),
        ("'c' || (i % 2)", {"positive": "c2"}, "positive is 'c2', which is no class"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(
    workshop: Workshop, target: str, declared: dict[str, object], said: str
) -> None:
    assert said in str(workshop.refused(rows(target), **declared))


def test_a_target_that_is_not_there_is_refused_with_a_hint(workshop: Workshop) -> None:
    error = workshop.refused("SELECT i AS x, i AS Price FROM range(50) r(i)", target="price")
    assert "did you mean 'Price'?" in str(error)
    assert error.column == "price"
