"""The unlabelled rows of a prepared table, scored as the endpoint would, and listed for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from evergreen.contracts.project_file import ProjectFile
from evergreen.data.engine import connect, identifier, parquet
from evergreen.data.parquet_columns import column_type
from evergreen.data.rows import write_rows
from evergreen.data.spreadsheets import inert
from evergreen.features.encoding import Encoded, encode
from evergreen.features.online_values import LARGEST_NUMBER
from evergreen.features.signature import Kind, Signature
from evergreen.labelling.known_values import MOST_KNOWN, Known, off_known_values
from evergreen.labelling.shortlist import shortlist
from evergreen.labelling.statements import CHOSEN_BY
from evergreen.labelling.uncertainty import margin
from evergreen.labelling.unlabelled import KEY
from evergreen.serving.answers import answers
from evergreen.serving.graph import ServingGraph
from evergreen.serving.requests import (
    MAXIMUM_ROWS,
    PredictRequest,
    RequestInvalidError,
    read_request,
)

NO_MODEL = "none: there is no champion yet, and rows are drawn at random"

MOST_SCORED = 50_000
"""Of more unlabelled rows, so many are drawn at random and scored."""


@dataclass(frozen=True)
class Entry:
    """A row to label: its key by column, why it is listed, and what the model thinks of it.

    `prediction` is a class or a number, None without a finite answer; it and `uncertainty` are
    None without a model. `row` are its prepared columns.
    """

    key: Mapping[str, str]
    chosen_by: str
    uncertainty: float | None
    prediction: str | float | None
    row: Mapping[str, Any]

    def to_plain(self) -> dict[str, Any]:
        """As JSON values, without the prepared columns."""
        return {
            "key": dict(self.key),
            "chosen_by": self.chosen_by,
            "uncertainty": None if self.uncertainty is None else float(f"{self.uncertainty:.6g}"),
            "prediction": self.prediction,
        }


@dataclass(frozen=True)
class Listing:
    """What is listed of how many `unlabelled` rows; `unanswerable` ones the endpoint refuses."""

    entries: tuple[Entry, ...]
    unlabelled: int
    scored: int
    unanswerable: int
    measure: str


def list_rows(project: ProjectFile, table: Path, graph: ServingGraph | None, seed: int) -> Listing:
    """Score the rows of the prepared `table` that have a key and no target, and choose among them.

    The project declares a labelling, and `table` was prepared with it. Without a graph the rows
    are drawn at random.
    """
    labelling = project.labelling
    if labelling is None:
        raise ValueError(f"project '{project.project}' declares no labelling")
    with connect(table.parent) as connection:
        unlabelled = _unlabelled(connection, project, table, seed)
        if graph is None:
            drawn = connection.execute(
                f"SELECT file_row_number FROM unlabelled ORDER BY {_shuffled(seed)} "
                f"LIMIT {labelling.rows}"
            ).fetchall()
            shown = _shown(connection, table, [int(row) for (row,) in drawn])
            entries = tuple(_entry(row, labelling.key, "random") for row in shown)
            return Listing(entries, unlabelled, 0, 0, NO_MODEL)
        rows, requests = _scored(connection, graph, "unlabelled")
        answered = [_answered(request, graph) for request in requests]
        encoded = _together(requests, graph.signature)
        if graph.signature.classes:
            nothing = graph.predict(encode((), graph.signature))
            found = margin(np.concatenate([nothing, *(chunk for chunk, _ in answered)]))
        else:
            known = _known(connection, project, table, graph, seed)
            found = off_known_values(graph.predict, encoded, known, seed)
    said = [answer for _, chunk in answered for answer in chunk]
    choices = shortlist(found.values, encoded, labelling.rows, labelling.random, seed)
    with connect(table.parent) as connection:
        shown = _shown(connection, table, [rows[choice.row] for choice in choices])
    return Listing(
        tuple(
            _entry(
                row,
                labelling.key,
                choice.chosen_by,
                float(found.values[choice.row]),
                said[choice.row],
            )
            for choice, row in zip(choices, shown, strict=True)
        ),
        unlabelled,
        len(rows),
        min(unlabelled, MOST_SCORED) - len(rows),
        found.measure,
    )


def write_csv(listing: Listing, project: ProjectFile, path: Path) -> None:
    """Write the list as a label file to fill in: key, the row's columns, and columns for the label.

    Without what the model thinks: who sees an answer is led by it. What a spreadsheet would run is
    written as a text; keys stay as they are, because they are compared.
    """
    labelling = project.labelling
    if labelling is None:
        raise ValueError(f"project '{project.project}' declares no labelling")
    said = (labelling.label or project.target, labelling.labeller, labelling.time)
    empty = [name for name in said if name]
    taken = {name.casefold() for name in (*labelling.key, *empty, CHOSEN_BY, project.target)}
    rows = [
        {
            **entry.key,
            **{
                inert(name): inert(value) if isinstance(value, str) else value
                for name, value in entry.row.items()
                if name.casefold() not in taken
            },
            **dict.fromkeys(empty),
            CHOSEN_BY: entry.chosen_by,
        }
        for entry in listing.entries
    ]
    write_rows(path, rows, dict.fromkeys(labelling.key, "text"))


def _unlabelled(
    connection: duckdb.DuckDBPyConnection, project: ProjectFile, table: Path, seed: int
) -> int:
    """Make the view `unlabelled`, each row with its `place` in the file; how many there are."""
    keys = project.labelling.key if project.labelling else []
    there = " AND ".join(f"{identifier(KEY + key)} IS NOT NULL" for key in keys)
    source = parquet([table], ", file_row_number = true")
    where = f"FROM {source} WHERE {identifier(project.target)} IS NULL AND {there}"
    counted = connection.execute(f"SELECT count(*) {where}").fetchone()
    connection.execute(
        f"CREATE TEMP TABLE unlabelled AS SELECT * {where} "
        f"ORDER BY {_shuffled(seed)} LIMIT {MOST_SCORED}"
    )
    return int(counted[0]) if counted else 0


def _known(
    connection: duckdb.DuckDBPyConnection,
    project: ProjectFile,
    table: Path,
    graph: ServingGraph,
    seed: int,
) -> Known:
    """Rows of the table whose target is known, encoded as the endpoint would encode them."""
    value = f"TRY_CAST({identifier(project.target)} AS DOUBLE)"
    connection.execute(
        "CREATE TEMP TABLE known AS SELECT * "
        f"FROM {parquet([table], ', file_row_number = true')} WHERE isfinite({value}) "
        f"ORDER BY {_shuffled(seed)} LIMIT {MOST_KNOWN}"
    )
    rows, requests = _scored(connection, graph, "known")
    values = dict(connection.execute(f"SELECT file_row_number, {value} FROM known").fetchall())
    return Known(_together(requests, graph.signature), np.array([values[row] for row in rows]))


def _shuffled(seed: int) -> str:
    """SQL for a random order that is the same each time."""
    return f"hash(file_row_number + {seed}), file_row_number"


def _scored(
    connection: duckdb.DuckDBPyConnection, graph: ServingGraph, table: str
) -> tuple[list[int], list[PredictRequest]]:
    """The places of the rows that the endpoint would answer, and the requests that hold them."""
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    there = {str(name) for name, *_ in described}
    columns = [column for column in graph.signature.columns if column.name in there]
    values = ", ".join(f"{_asked(column.name, column.kind)}" for column in columns)
    result = connection.execute(
        f"SELECT file_row_number{', ' if values else ''}{values} FROM {table} "
        "ORDER BY file_row_number"
    )
    places: list[int] = []
    requests: list[PredictRequest] = []
    while batch := result.fetchmany(MAXIMUM_ROWS):
        rows = [
            {
                column.name: value.isoformat() if isinstance(value, date) else value
                for column, value in zip(columns, values, strict=True)
            }
            for _, *values in batch
        ]
        for which, request in _read(rows, graph):
            places += [int(batch[index][0]) for index in which]
            requests.append(request)
    return places, requests


def _asked(name: str, kind: Kind) -> str:
    """SQL for a value as requests carry it."""
    value = identifier(name)
    if kind is Kind.NUMBER:
        number = f"TRY_CAST({value} AS DOUBLE)"
        clamped = f"greatest(least({number}, {LARGEST_NUMBER!r}), -{LARGEST_NUMBER!r})"
        return f"CASE WHEN isfinite({number}) THEN {clamped} END"
    return f"TRY_CAST({value} AS {'TIMESTAMP' if kind is Kind.MOMENT else 'VARCHAR'})"


def _read(
    rows: Sequence[Mapping[str, Any]], graph: ServingGraph
) -> Iterator[tuple[Sequence[int], PredictRequest]]:
    """Valid requests with the rows in them; where one is refused, its rows one by one."""
    try:
        yield range(len(rows)), read_request(json.dumps({"rows": rows}), graph.signature.prepared)
    except RequestInvalidError:
        if len(rows) == 1:
            return
        for index, row in enumerate(rows):
            for _, request in _read([row], graph):
                yield [index], request


def _together(requests: Sequence[PredictRequest], signature: Signature) -> Encoded:
    """The rows of all requests as one."""
    parts = [encode((), signature), *(request.encoded for request in requests)]
    return Encoded(
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.categories for part in parts]),
        parts[0].terms,
    )


def _answered(request: PredictRequest, graph: ServingGraph) -> tuple[Any, list[Any]]:
    """Probabilities or values, and the answers as the endpoint gives them."""
    found = graph.predict(request.encoded)
    answer = answers(found, request, graph.signature, "", lambda: "")
    return found, [each["prediction"] for each in answer["predictions"]]


def _shown(
    connection: duckdb.DuckDBPyConnection, table: Path, places: Sequence[int]
) -> list[dict[str, Any]]:
    """The prepared columns of some rows of the table, in the order that is asked for."""
    source = parquet([table], ", file_row_number = true")
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    names = [str(name) for name, kind, *_ in described if column_type(str(kind))]
    wanted = ", ".join(
        _plain(str(name), str(kind)) for name, kind, *_ in described if name in names
    )
    found = connection.execute(
        f"SELECT {wanted} FROM {source} WHERE file_row_number IN (SELECT unnest($places))",
        {"places": list(places)},
    ).fetchall()
    rows = [dict(zip(names, values, strict=True)) for values in found]
    by_place = {row["file_row_number"]: row for row in rows}
    return [by_place[place] for place in places]


def _plain(name: str, sql_type: str) -> str:
    kind = column_type(sql_type)
    cast = {"number": "DOUBLE", "text": "VARCHAR", "timestamp": "TIMESTAMP"}.get(str(kind))
    return f"CAST({identifier(name)} AS {cast})" if cast else identifier(name)


def _entry(
    row: Mapping[str, Any],
    key: Sequence[str],
    chosen_by: str,
    uncertainty: float | None = None,
    prediction: str | float | None = None,
) -> Entry:
    hidden = {"file_row_number", "holdout", "evergreen.holdout"}
    return Entry(
        key={name: str(row[KEY + name]) for name in key},
        chosen_by=chosen_by,
        uncertainty=uncertainty,
        prediction=prediction,
        row={
            name: value
            for name, value in row.items()
            if name not in hidden and not name.startswith(KEY)
        },
    )
