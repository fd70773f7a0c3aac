"""The one engine that moves data: a DuckDB with little memory that spills to disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from evergreen.data.limits import Limits
from evergreen.data.refusal import Reason, UploadRefusedError
from evergreen.data.time_limit import OutOfTimeError, at_most

MEMORY_LIMIT = "600MB"
"""What DuckDB may hold before it spills; the interpreter and copies made for NumPy come on top."""

MANY_COLUMNS = 250
MEGABYTES_FOR_ONE_OF_MANY = 1
MOST_MEGABYTES = 2_000
"""Each of many columns has buffers in every query; a function of 3,008 MB has room for so much."""

THREADS = 2

WRITTEN = "FORMAT parquet, COMPRESSION snappy, PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 5000"
"""How parts are written. zstd makes files a fifth smaller and takes a fifth longer; dictionaries
of more values are mostly begun in vain."""


def connect(scratch: Path) -> duckdb.DuckDBPyConnection:
    """A private in-memory database that spills into `scratch` and reads times as UTC."""
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "threads": THREADS,
            "temp_directory": str(scratch / "spill"),
            "preserve_insertion_order": True,
            # Nothing is ever downloaded: what is needed is inside the wheel.
            "autoinstall_known_extensions": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def make_room(connection: duckdb.DuckDBPyConnection, columns: int) -> None:
    """Let the engine hold more where a table has many columns."""
    if columns > MANY_COLUMNS:
        megabytes = 600 + MEGABYTES_FOR_ONE_OF_MANY * columns
        connection.execute(f"SET memory_limit = '{min(megabytes, MOST_MEGABYTES)}MB'")


@contextmanager
def within_memory(name: str) -> Iterator[None]:
    """Refuse the file called `name` if the engine runs out of its memory, or of scratch, over it.

    What the engine may hold is given, so that trying again would not help.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        message = (
            f"'{name}' cannot be taken within the memory there is: its values are too long or its "
            "columns too many; divide it"
        )
        raise UploadRefusedError([Reason("too_large", message)]) from error


@contextmanager
def within_time(name: str, limits: Limits, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Refuse the file called `name` if it is not done with in the time there is.

    Otherwise the function would be ended, without a word to anybody, and so at every attempt.
    """
    try:
        with at_most(limits.seconds, connection):
            yield
    except OutOfTimeError as error:
        what = f"'{name}' takes too many seconds; divide it"
        raise limits.refuse("seconds", what) from error


def lock(
    connection: duckdb.DuckDBPyConnection, files: Iterable[Path], scratch: Path | None = None
) -> None:
    """From now on only `files`, and what is in `scratch`, can be read or written by any SQL."""
    paths = ", ".join(literal(str(path)) for path in files)
    connection.execute(f"SET allowed_paths = [{paths}]")
    if scratch is not None:
        connection.execute(f"SET allowed_directories = [{literal(str(scratch))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def identifier(name: str) -> str:
    """A column or table name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def parquet(files: Iterable[Path], options: str = "") -> str:
    """A table function that reads Parquet files, in their order."""
    return f"read_parquet([{', '.join(literal(str(file)) for file in files)}]{options})"


def one_value(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The only value of a query that counts."""
    row = connection.execute(query).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
