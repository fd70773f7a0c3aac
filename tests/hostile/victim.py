"""The function that ingests, in a process of its own: hostile uploads, an innocent one after each.

Run as `python -m tests.hostile.victim <list> <memory in MiB>`, the list being a JSON file of
[[path, key], …]; prints what came of each as JSON. Table, lake and bus are in memory; everything
else is the function as it is deployed.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]
CONTEXT = SimpleNamespace(
    function_name="f", aws_request_id="r", get_remaining_time_in_millis=lambda: 900_000
)


def main(uploads: list[tuple[str, str]], memory: int) -> list[dict[str, Any]]:
    """Deliver the uploads; what each was answered, what was left, and the memory it took."""
    resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    function = Function()
    reports = []
    for number, (path, key) in enumerate(uploads):
        began, parts = time.monotonic(), function.parts()
        report = function.take(Path(path), key)
        report |= {
            "left": sorted(each.name for each in Path(tempfile.gettempdir()).iterdir()),
            "parts": function.parts() - parts,
            "peak_mb": peak_mb(),
            "seconds": time.monotonic() - began,
        }
        rows = "".join(f"{n},{'Bern' if n % 2 else 'Basel'}\n" for n in range(100 + number))
        innocent = Path(path).with_name("innocent")
        innocent.write_text("id,town\n" + rows)
        report["innocent"] = function.take(innocent, f"uploads/safe/towns/{number}.csv")
        reports.append(report)
    return reports


def peak_mb() -> int:
    """Of this process and of the largest of its helpers together, so far."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_maxrss for each in usage) // 1024


class Function:
    """The handler's module over the ports in memory."""

    def __init__(self) -> None:
        from evergreen.registry.memory import MemoryBus, MemoryLake, MemoryTable

        place = ROOT / "functions" / "ingest_upload" / "app.py"
        spec = importlib.util.spec_from_file_location("app", place)
        assert spec
        assert spec.loader
        self.app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.app)
        self.lake, self.bus = MemoryLake(), MemoryBus()
        vars(self.app.stage).update(table=MemoryTable(), lake=self.lake, bus=self.bus)

    def parts(self) -> int:
        """Parts written so far."""
        return sum(key.endswith("rows.parquet") for key in self.lake.keys(""))

    def take(self, path: Path, key: str) -> dict[str, Any]:
        """Upload a file; what was said, and the records of what was refused."""
        from evergreen.cloud import part_judging

        part_judging.fetch_upload = lambda _, target, __: shutil.copyfile(path, target)
        before = len(self.bus.events)
        answer = self.app.handler({"Records": [message(key, str(before))]}, CONTEXT)
        facts = [event.fact for event in self.bus.events[before:]]
        return {
            "failed": answer["batchItemFailures"],
            "said": [{"name": fact.name, **fact.model_dump(mode="json")} for fact in facts],
            "records": [
                json.loads(self.lake.read(fact.record))
                for fact in facts
                if fact.name == "UploadQuarantined"
            ],
        }


def message(key: str, version: str) -> dict[str, str]:
    """What the queue delivers when an object was created."""
    subject = {"key": key, "version-id": version, "etag": version}
    detail = {"bucket": {"name": "uploads"}, "object": subject}
    body = {"id": version, "detail-type": "Object Created", "detail": detail}
    return {"messageId": version, "body": json.dumps(body), "eventSource": "aws:sqs"}


if __name__ == "__main__":
    listed = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps(main(listed, int(sys.argv[2]))), file=sys.__stdout__)
