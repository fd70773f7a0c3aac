"""One run of the ingestion benchmark, in a process of its own: says its seconds and its peak."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from evergreen.data.engine import connect
from evergreen.data.ingestion import ingest
from evergreen.data.profile import profile


def main(what: str, source: Path, scratch: Path) -> None:
    """`copy` or `ingest` the file `source`."""
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        target = Path(directory, "rows.parquet")
        began = time.perf_counter()
        if what == "copy":
            with connect(Path(directory)) as connection:
                connection.execute(f"COPY (FROM '{source}') TO '{target}' (FORMAT parquet)")
        else:
            made = ingest(source, source.name, target)
            profile([target], made.schema, observed=made.observed)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {"seconds": seconds, "peak": peak / (2**20 if sys.platform == "darwin" else 1024)}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
