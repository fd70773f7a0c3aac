"""A fault that breaks the engine of a model fails one request, not all that come after it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import duckdb
import pytest

from evergreen.serving.completion import complete
from tests.unit.serving.kitchen import Dish, Kitchen

ROOT = Path(__file__).parents[3]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The handler, loaded anew."""
    monkeypatch.delenv("CATALOGUE_TABLE", raising=False)
    monkeypatch.setenv("LAKE_BUCKET", "lake")
    path = ROOT / "functions/predict/app.py"
    spec = importlib.util.spec_from_file_location("app_predict", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks for its module by this name.
    monkeypatch.setitem(sys.modules, "app_predict", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def dish(tmp_path: Path) -> Iterator[Dish]:
    with Kitchen.opened(tmp_path) as kitchen:
        yield kitchen.prepare({"a": "BIGINT"}, [{"a": 1}], {"derive": {"b": "1 / a"}})


def broken(error: type[Exception]) -> Any:
    def execute(*_: object) -> NoReturn:
        raise error("the database has been invalidated")

    return SimpleNamespace(execute=execute, extract_statements=execute)


@pytest.mark.parametrize("error", [duckdb.FatalException, duckdb.InternalException])
def test_after_a_fault_of_its_own_an_engine_is_replaced(
    app: ModuleType, dish: Dish, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    champion = app.Served("m", dish.signature, None)
    request = dish.read({"a": 4})
    monkeypatch.setattr(champion.engine, "_connection", broken(error))
    with pytest.raises(error):
        app.completed(request, "p", champion)
    assert app.completed(request, "p", champion).rows[0]["b"] == 0.25


def test_an_engine_stays_for_all_requests(app: ModuleType, dish: Dish) -> None:
    champion = app.Served("m", dish.signature, None)
    first = champion.engine
    complete(dish.read({"a": 4}), dish.signature, engine=lambda: champion.engine)
    assert champion.engine is first
