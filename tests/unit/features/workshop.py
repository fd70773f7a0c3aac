"""Small datasets and projects, and what preparation makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evergreen.contracts.project_file import ProjectFile
from evergreen.features.preparation import PreparationRefusedError, Prepared, prepare


@dataclass(frozen=True)
class Workshop:
    """Prepares datasets that are given as SQL, in a directory of its own."""

    directory: Path

    def part(self, name: str, query: str) -> Path:
        path = self.directory / f"{name}.parquet"
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
        return path

    def prepare(
        self,
        rows: str | Sequence[str],
        *steps: Mapping[str, Any],
        references: Mapping[str, str] | None = None,
        feedback: Sequence[str] = (),
        seed: int = 1,
        target: str = "y",
        **declared: Any,
    ) -> Prepared:
        """`rows` are queries, one for each part of the dataset; `declared` goes to preparation."""
        queries = [rows] if isinstance(rows, str) else rows
        datasets = {"rows": [self.part(f"rows{i}", query) for i, query in enumerate(queries)]}
        for name, query in (references or {}).items():
            datasets[name] = [self.part(name, query)]
        keys = ("task", "positive", "features", "serving")
        top = {key: declared.pop(key) for key in keys if key in declared}
        project = ProjectFile.model_validate(
            {
                "project": "p",
                "dataset": "rows",
                "target": target,
                **top,
                "preparation": {"steps": list(steps), **declared},
            }
        )
        labelled = [self.part(f"feedback{i}", query) for i, query in enumerate(feedback)]
        return prepare(project, datasets, labelled, seed=seed, table=self.table)

    def refused(self, *arguments: Any, **named: Any) -> PreparationRefusedError:
        with pytest.raises(PreparationRefusedError) as caught:
            self.prepare(*arguments, **named)
        return caught.value

    @property
    def table(self) -> Path:
        return self.directory / "table.parquet"

    def written(self, columns: str = "*") -> list[tuple[Any, ...]]:
        with duckdb.connect() as connection:
            return connection.execute(f"SELECT {columns} FROM '{self.table}'").fetchall()


def hundred(columns: str, count: int = 100) -> str:
    """Rows with `columns` over i = 0, 1, …, and a target `y` of two classes."""
    return f"SELECT {columns}, i % 2 = 0 AS y FROM range({count}) r(i)"


def names(made: Prepared) -> tuple[str, ...]:
    return tuple(column.name for column in made.training_set.signature.columns)


def reasons(made: Prepared) -> dict[str, str]:
    return dict(made.training_set.signature.ignored)
