"""What travels of reference datasets with a model, so that serving finds the partners of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from evergreen.contracts.project_file import Serving
from evergreen.data.engine import identifier, literal, one_value
from evergreen.features.recipe import Action, Elsewhere, Matched, Recipe
from evergreen.features.step_kinds.joins import first_of_each
from evergreen.features.workbench import ROW
from evergreen.registry.identity import digest_of_file


@dataclass(frozen=True)
class Packed:
    """A recipe whose reference tables travel, and their files (Parquet) by digest."""

    recipe: Recipe
    files: Mapping[str, Path]


def snapshot_paths(table: Path, joins: int) -> list[Path]:
    """Where the snapshots for so many joins are written, beside the prepared table."""
    return [table.with_name(f"reference-{place}.parquet") for place in range(joins)]


def pack(
    connection: duckdb.DuckDBPyConnection, recipe: Recipe, limits: Serving, table: Path
) -> Packed:
    """Write what the recipe reads of each reference: the first row of each key.

    A reference that is larger than the limits stays behind: its columns are sent by whoever asks.
    """
    actions: list[Action] = []
    files: dict[str, Path] = {}
    matched = sum(isinstance(each, Matched) for each in recipe.actions)
    paths = iter(snapshot_paths(table, matched))
    for action in recipe.actions:
        if not isinstance(action, Matched):
            actions.append(action)
            continue
        path = next(paths)
        problem = _write(connection, action, limits, path)
        if problem:
            actions.append(Elsewhere(action.step, action.kind, action.makes, problem))
        else:
            digest = digest_of_file(path)
            files[digest] = path
            actions.append(replace(action, snapshot=digest))
    return Packed(replace(recipe, actions=tuple(actions)).for_columns(recipe.columns), files)


def _write(
    connection: duckdb.DuckDBPyConnection, action: Matched, limits: Serving, path: Path
) -> str | None:
    """Write a snapshot, or say why it cannot travel."""
    sources, keys = dict(action.sources), [right for _, right in action.keys]
    needed = dict.fromkeys([*keys, *(sources[name] for name in action.names)])
    columns = ", ".join(identifier(name) for name in needed)
    whole = " AND ".join(f"{identifier(name)} IS NOT NULL" for name in keys)
    query = (
        f"SELECT {columns} FROM ({first_of_each(action.table, keys)}) WHERE {whole} "
        f"ORDER BY {identifier(ROW)}"
    )
    rows = one_value(connection, f"SELECT count(*) FROM ({query})")
    if rows > limits.reference_rows:
        return (
            f"dataset '{action.dataset}' has {rows:,} different keys, and at most "
            f"{limits.reference_rows:,} travel with a model (serving.reference_rows)"
        )
    connection.execute(
        f"COPY ({query}) TO {literal(str(path))} "
        "(FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
    )
    size = path.stat().st_size
    if size > limits.reference_bytes:
        return (
            f"{size:,} bytes of dataset '{action.dataset}' would be needed, and at most "
            f"{limits.reference_bytes:,} travel with a model (serving.reference_bytes)"
        )
    return None
