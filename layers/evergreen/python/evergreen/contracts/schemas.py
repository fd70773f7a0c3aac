"""The JSON Schemas of all events, beside their samples: `python -m evergreen.contracts.schemas`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from evergreen.contracts.events import SCHEMA_VERSION, schema_of
from evergreen.contracts.facts import FACTS
from evergreen.contracts.project_file import ProjectFile


def schema_files() -> dict[str, str]:
    """File name → content, of every event and of the project file."""
    schemas = {f"{name}.v{SCHEMA_VERSION}.json": schema_of(fact) for name, fact in FACTS.items()}
    schemas["project.yaml.json"] = ProjectFile.model_json_schema()
    return {name: json.dumps(schema, indent=2) + "\n" for name, schema in schemas.items()}


def write_schemas(directory: Path) -> None:
    """Write them all, and remove those of events that are no more."""
    directory.mkdir(parents=True, exist_ok=True)
    files = schema_files()
    for stale in {path.name for path in directory.glob("*.json")} - set(files):
        (directory / stale).unlink()
    for name, content in files.items():
        (directory / name).write_text(content)


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else "events/schemas"))
