"""One run of Evergreen's profile and checks over a part; prints its seconds and what is broken."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from evergreen.contracts.data_section import DatasetDeclaration
from evergreen.data.checks import Expected, check
from evergreen.data.engine import connect, one_value, parquet
from evergreen.data.observations import observe
from evergreen.data.parts import schema_of
from evergreen.data.profile import profile_within

RULES = Path(__file__).parent / "rules.json"


def main(part: Path) -> None:
    """Profile and check the part."""
    rules = json.loads(RULES.read_text())
    declaration = DatasetDeclaration.model_validate(
        {"constraints": [{**rule, "name": str(place)} for place, rule in enumerate(rules)]}
    )
    with tempfile.TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        began = time.perf_counter()
        profile_within(connection, [part], target="arr_delay")
        profiled = time.perf_counter()
        schema = schema_of(connection, part)
        columns = [(column.name, column.type) for column in schema.columns]
        rows = one_value(connection, f"SELECT count(*) FROM {parquet([part])}")
        seen = observe(connection, part, columns, rows)
        now = datetime.now(UTC)
        found = check(connection, part, seen, None, Expected(declaration, now, now))
        checked = time.perf_counter()
    broken = sorted({int(each.rule) for each in found.anomalies if each.rule is not None})
    report = {"profile": profiled - began, "checks": checked - profiled, "broken": broken}
    print(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
