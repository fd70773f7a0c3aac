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
    """The rows of a month in time order, prepared by the project's own steps, by period."""
    time = file.preparation.time
    assert time, "a replay needs the project's time column"
    table = directory / f"{month.stem}-prepared.parquet"
    typed = directory / f"{month.stem}-typed.parquet"
    ingest(month, month.name, typed)
    prepare(file, {file.dataset: [typed], **references}, [], seed=0, table=table)
    relation = duckdb.sql(f"""SELECT * FROM read_parquet('{table}') ORDER BY "{time}" """)
    names = [name for name in relation.columns if name != "holdout"]
    rows = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    grouped: dict[datetime, list[dict[str, Any]]] = {}
    for row in rows:
        moment = row[time]
        days = (moment - datetime(1970, 1, 5, tzinfo=moment.tzinfo)) // length
        start = datetime(1970, 1, 5, tzinfo=moment.tzinfo) + days * length
        grouped.setdefault(start, []).append({name: row[name] for name in names})
    for number, (start, members) in enumerate(sorted(grouped.items())):
        yield Period(
            start=start,
            ids=tuple(f"{month.stem}-{number}-{index}" for index in range(len(members))),
            rows=tuple(
                {name: _json(value) for name, value in row.items() if name != file.target}
                for row in members
            ),
            labels=tuple(_label(row[file.target]) for row in members),
        )


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _label(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
