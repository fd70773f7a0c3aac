"""Rows prepared offline by declared steps, and the same rows asked as they were uploaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from evergreen.contracts.project_file import ProjectFile
from evergreen.data.engine import connect, identifier
from evergreen.data.parquet_columns import column_type
from evergreen.features.columnar import encode_table
from evergreen.features.columns import KINDS
from evergreen.features.encoding import Encoded
from evergreen.features.recipe import Recipe
from evergreen.features.signature import Column, Kind, Signature, Task
from evergreen.features.snapshots import pack
from evergreen.features.steps import run_steps
from evergreen.features.workbench import ROW, Table, Workbench
from evergreen.serving.completion import complete
from evergreen.serving.lookups import Lookups
from evergreen.serving.requests import PredictRequest, read_request
from evergreen.serving.step_engine import StepEngine

LEFT_OVER = "SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'rows_')"


@dataclass
class Dish:
    """What preparation made of rows: their encoding, and a model that is asked without it."""

    offline: Encoded
    signature: Signature
    snapshots: Mapping[str, Path]
    lookups: Lookups | None = None
    engines: list[StepEngine] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def recipe(self) -> Recipe:
        assert self.signature.recipe
        return self.signature.recipe

    def engine(self) -> StepEngine:
        if not self.engines:
            read = {digest: path.read_bytes() for digest, path in self.snapshots.items()}
            self.engines.append(StepEngine.load(self.recipe, read.__getitem__))
        return self.engines[0]

    def read(self, *rows: Mapping[str, Any]) -> PredictRequest:
        plain = [{name: as_json(value) for name, value in row.items()} for row in rows]
        return read_request(json.dumps({"rows": plain}), self.signature)

    def ask(self, *rows: Mapping[str, Any]) -> PredictRequest:
        return complete(self.read(*rows), self.signature, self.lookups, self.engine)


def as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


@dataclass(frozen=True)
class Kitchen:
    """An engine with reference tables, in which rows are prepared."""

    connection: duckdb.DuckDBPyConnection
    directory: Path
    references: Mapping[str, Table]

    @staticmethod
    @contextmanager
    def opened(directory: Path, **references: str) -> Iterator[Kitchen]:
        with connect(directory) as connection:
            connection.execute("SET threads = 1")
            tables = {}
            for name, query in references.items():
                connection.execute(
                    f"CREATE TEMP TABLE dataset_{name} AS "
                    f"SELECT *, row_number() OVER () - 1 AS {identifier(ROW)} FROM ({query})"
                )
                tables[name] = Table.of(connection, f"dataset_{name}")
            yield Kitchen(connection, directory, tables)

    def prepare(
        self,
        types: Mapping[str, str],
        rows: Sequence[Mapping[str, Any]],
        *steps: Mapping[str, Any],
        serving: Mapping[str, int] | None = None,
        time: str | None = None,
        features: Sequence[Mapping[str, Any]] = (),
    ) -> Dish:
        """`types`: DuckDB types of the columns, all of which the model uses after the steps."""
        named = ", ".join(f"{identifier(name)} {kind}" for name, kind in types.items())
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE given ({named}, {identifier(ROW)} BIGINT)"
        )
        for (left,) in self.connection.execute(LEFT_OVER).fetchall():
            self.connection.execute(f"DROP TABLE {identifier(left)}")
        marks = ", ".join("?" for _ in range(len(types) + 1))
        self.connection.executemany(
            f"INSERT INTO given VALUES ({marks})",
            [[*(row.get(name) for name in types), place] for place, row in enumerate(rows)],
        )
        project = ProjectFile.model_validate(
            {
                "project": "p",
                "dataset": "d",
                "target": "y",
                "serving": serving or {},
                "features": list(features),
                "preparation": {"steps": list(steps), "time": time},
            }
        )
        bench = Workbench(self.connection, project, self.references)
        done = run_steps(bench, Table.of(self.connection, "given"))
        ordered = f"{done.table.name}_ordered"
        self.connection.execute(
            f"CREATE TEMP TABLE {ordered} AS FROM {done.table.name} ORDER BY {identifier(ROW)}"
        )
        columns = tuple(
            Column(name, KINDS.get(str(column_type(kind)), Kind.CATEGORY))
            for name, kind in done.table.columns.items()
            if column_type(kind) and name != "y"
        )
        recipe = done.recipe.for_columns([each.name for each in columns])
        packed = pack(self.connection, recipe, project.serving, self.directory / "table.parquet")
        signature = Signature(
            "y",
            Task.REGRESSION,
            columns,
            lookups=project.learned_features,
            recipe=packed.recipe,
        )
        offline = encode_table(self.connection, ordered, columns).rows
        return Dish(offline, Signature.from_json(signature.to_json()), packed.files)
