"""Files that tests upload, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evergreen.contracts.data_section import DatasetDeclaration
from evergreen.data.checks import Expected
from evergreen.data.ingestion import IngestedPart, Reason, UploadRefusedError, ingest
from evergreen.data.observations import Observed
from evergreen.data.schema import Schema

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Uploader:
    """Ingests small files in a directory of its own."""

    directory: Path

    def take(
        self,
        content: str | bytes,
        *,
        known: Schema | None = None,
        before: Observed | None = None,
        required: Sequence[str] = (),
        declared: dict[str, Any] | None = None,
        others: Sequence[Path] = (),
    ) -> IngestedPart:
        source = self.directory / "source"
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        for written in (self.destination, self.quarantine):
            written.unlink(missing_ok=True)
        return ingest(
            source,
            "people.csv",
            self.destination,
            known=known,
            before=before,
            required=required,
            expected=Expected(DatasetDeclaration.model_validate(declared or {}), NOW, NOW),
            destination_quarantine=self.quarantine,
            others=others,
        )

    def take_after(
        self, first: str | bytes, content: str | bytes, **arguments: Any
    ) -> IngestedPart:
        """Ingest a part of a dataset that so far holds `first`."""
        before = self.take(first)
        return self.take(content, known=before.schema, before=before.observed, **arguments)

    def refused(self, content: str | bytes, **arguments: Any) -> tuple[Reason, ...]:
        with pytest.raises(UploadRefusedError) as caught:
            self.take(content, **arguments)
        assert not self.destination.exists()
        assert not self.quarantine.exists()
        return caught.value.reasons

    @property
    def destination(self) -> Path:
        return self.directory / "rows.parquet"

    @property
    def quarantine(self) -> Path:
        return self.directory / "refused.parquet"

    def rows(self) -> list[tuple[Any, ...]]:
        return read(self.destination)

    def bad_rows(self) -> list[tuple[Any, ...]]:
        """Line, text and reasons of each."""
        return read(self.quarantine, "line, raw, reasons")

    def codes(self) -> list[tuple[int, list[str]]]:
        """Line and codes of each bad row."""
        return [(line, [each["code"] for each in why]) for line, _, why in self.bad_rows()]


def read(path: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {columns} FROM read_parquet('{path}')").fetchall()


def write_parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def types(part: IngestedPart) -> dict[str, str]:
    return {column.name: column.type for column in part.schema.columns}


def numbered(count: int, line: str = "{i},{i}.5,b{i}") -> str:
    """`count` good rows, to stand around a bad one."""
    return "".join(line.replace("{i}", str(i)) + "\n" for i in range(count))
