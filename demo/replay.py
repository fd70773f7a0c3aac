"""Months that the model has not seen, as the requests and the late labels they would have been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from evergreen.contracts.project_file import ProjectFile
from evergreen.data.ingestion import ingest
from evergreen.features.preparation import prepare

ROW = "replay.row"
"""A column that numbers the rows of a month through the steps."""


@dataclass(frozen=True)
class Period:
    """The rows of one period: what was asked, under which ids, and what turned out to be true."""

    start: datetime
    ids: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    labels: tuple[str, ...]


def periods(
    file: ProjectFile,
    month: Path,
    references: Mapping[str, Sequence[Path]],
    length: timedelta,
    directory: Path,
) -> Iterator[Period]:
    """The rows of a month in time order, as they were uploaded, by period.

    The project's own steps say which rows count, and what turned out to be true of each.
    """
    time = file.preparation.time
    assert time, "a replay needs the project's time column"
    table = directory / f"{month.stem}-prepared.parquet"
    typed = directory / f"{month.stem}-typed.parquet"
    numbered = directory / f"{month.stem}-numbered.parquet"
    ingest(month, month.name, typed)
    duckdb.sql(
        f"""COPY (SELECT * RENAME (file_row_number AS "{ROW}") """
        f"""FROM read_parquet('{typed}', file_row_number = true)) TO '{numbered}'"""
    )
    prepare(file, {file.dataset: [numbered], **references}, [], seed=0, table=table)
    uploaded = duckdb.sql(f"SELECT * FROM read_parquet('{typed}')").columns
    names = [name for name in uploaded if name in known_in_time(file, uploaded)]
    asked = ", ".join(f'raw."{name}"' for name in (*names, time))
    relation = duckdb.sql(
        f"""SELECT {asked}, prepared."{file.target}" FROM read_parquet('{numbered}') AS raw """
        f"""JOIN read_parquet('{table}') AS prepared USING ("{ROW}") """
        f"""ORDER BY raw."{time}", "{ROW}" """
    )
    rows = relation.fetchall()
    grouped: dict[datetime, list[tuple[dict[str, Any], Any]]] = {}
    for *values, moment, label in rows:
        days = (moment - datetime(1970, 1, 5, tzinfo=moment.tzinfo)) // length
        start = datetime(1970, 1, 5, tzinfo=moment.tzinfo) + days * length
        row = dict(zip(names, values, strict=True))
        grouped.setdefault(start, []).append((row, label))
    for number, (start, members) in enumerate(sorted(grouped.items())):
        yield Period(
            start=start,
            ids=tuple(f"{month.stem}-{number}-{index}" for index in range(len(members))),
            rows=tuple({name: _json(value) for name, value in row.items()} for row, _ in members),
            labels=tuple(_label(label) for _, label in members),
        )


def known_in_time(file: ProjectFile, uploaded: Sequence[str]) -> set[str]:
    """The columns that whoever asks has: what steps drop is known later, but for keys of joins."""
    steps = file.preparation.steps
    dropped = {name for step in steps for name in step.drop or ()}
    keys = {name for step in steps if step.join for name in step.join.keys}
    return {*uploaded} - (dropped - keys) - {file.target}


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _label(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
