"""What the footer of a Parquet file says, looked at before anything is read by it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import duckdb

from evergreen.data.column_names import column_names
from evergreen.data.confinement import UnreadableError, confined, helper
from evergreen.data.engine import literal
from evergreen.data.limits import Limits
from evergreen.data.refusal import Reason, UploadRefusedError

MAGIC = b"PAR1"


def check_footer(path: Path, name: str, scratch: Path, limits: Limits) -> None:
    """Raise UploadRefusedError if a Parquet file is cut off or larger inside than is taken."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        end = file.read()
    length = struct.unpack("<I", end[:4])[0] if end[4:] == MAGIC else None
    if length is None or length + 12 > size:
        message = f"'{name}' is a damaged Parquet file: its end is missing; upload it anew"
        raise UploadRefusedError([Reason("damaged", message)])
    if length > limits.footer_bytes:
        raise limits.refuse("footer_bytes", f"'{name}' has a footer of {length:,} bytes")
    found = confined("evergreen.data.parquet_footer", path, scratch / "unused", name, limits)
    if found["leaves"] > limits.columns:
        raise limits.refuse("columns", f"'{name}' has {found['leaves']:,} columns")
    if found["rows"] > limits.rows:
        raise limits.refuse("rows", f"'{name}' has {found['rows']:,} rows")
    if found["bytes"] > limits.expanded_bytes:
        raise limits.refuse("expanded_bytes", f"'{name}' expands to {found['bytes']:,} bytes")
    if found["cell"] > limits.cell_bytes:
        raise limits.refuse("cell_bytes", f"'{name}' has a value of {found['cell']:,} bytes")
    if min(found["rows"], found["bytes"], found["cell"]) < 0:
        message = f"'{name}' is a damaged Parquet file: its footer has negative sizes"
        raise UploadRefusedError([Reason("damaged", message)])
    # The engine would rename the second of two.
    column_names(found["names"], name, None, limits)


def footer(path: Path, _: Path) -> dict[str, Any]:
    """Names at the top, and sizes: of rows, leaf columns, bytes unpacked, the mean largest cell."""
    file = literal(str(path))
    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            schema = connection.execute(
                f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({file})"
            ).fetchall()
            rows = connection.execute(
                f"SELECT num_rows FROM parquet_file_metadata({file})"
            ).fetchall()
            sizes = connection.execute(
                "SELECT coalesce(sum(total_uncompressed_size), 0), "
                "coalesce(max(total_uncompressed_size // greatest(num_values, 1)), 0) "
                f"FROM parquet_metadata({file})"
            ).fetchall()
    except duckdb.OutOfMemoryException as error:
        raise MemoryError from error
    except duckdb.Error as error:
        raise UnreadableError(str(error).splitlines()[0].split(" Error: ", 1)[-1]) from error
    return {
        "names": _tops([(str(name), int(children)) for name, children in schema]),
        "leaves": sum(children == 0 for _, children in schema),
        "rows": int(rows[0][0]),
        "bytes": int(sizes[0][0]),
        "cell": int(sizes[0][1]),
    }


def _tops(schema: list[tuple[str, int]]) -> list[str]:
    """The names directly below the root of a schema, which is listed depth first."""
    names, skip = [], 0
    for name, children in schema[1:]:
        if skip == 0:
            names.append(name)
            skip = children
        else:
            skip += children - 1
    return names


if __name__ == "__main__":
    helper(footer)
