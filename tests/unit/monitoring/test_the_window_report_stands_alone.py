from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np

from evergreen.features.signature import Column, Kind, Signature, Task
from evergreen.monitoring.drift import DriftReport, check
from evergreen.monitoring.performance import PerformanceReport, performance
from evergreen.monitoring.report import render_report, report_to_plain
from evergreen.monitoring.windows import Window
from tests.unit.monitoring.builders import population

WINDOW = Window(datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 4, 2, tzinfo=UTC), 300, True)  # noqa: FBT003
HOSTILE = "</style><script>alert('1')</script>"
REFERENCE, SIGNATURE, ANSWERS = population(1000, seed=1)
ROWS, _, ROW_ANSWERS = population(300, seed=2)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.found.append(tag)


def hostile() -> tuple[Signature, DriftReport]:
    columns = (Column(HOSTILE, Kind.NUMBER), *SIGNATURE.columns[1:])
    signature = replace(SIGNATURE, columns=columns)
    ROWS.numbers[:, 0] *= 3
    ROWS.categories[:200, 0] = HOSTILE
    return signature, check(
        REFERENCE, ROWS, signature, ANSWERS, ROW_ANSWERS, false_alarm_rate=0.01, seed=1
    )


NAMED, DRIFT = hostile()


def realised() -> PerformanceReport:
    target = (np.arange(300) % 2).astype(np.int64)
    wanted = {"task": "binary", "metric": None, "false_alarm_rate": 0.01, "seed": 1}
    return performance(target, ROW_ANSWERS, target, ROW_ANSWERS, **wanted)  # type: ignore[arg-type]


def page(performance: PerformanceReport | None = None) -> str:
    return render_report(HOSTILE, HOSTILE, WINDOW, NAMED, REFERENCE, ROWS, DRIFT, performance)


def test_the_page_has_neither_scripts_nor_anything_from_elsewhere() -> None:
    tags = Tags()
    tags.feed(page(realised()))
    assert not {"script", "link", "img", "iframe", "a", "object"} & set(tags.found)
    assert tags.found.count("svg") == 1 + len(DRIFT.columns)
    addresses = set(re.findall(r"https?://[^\"' )<]+", page()))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_texts_that_came_with_the_data_are_shown_as_text() -> None:
    assert "&lt;script&gt;" in page()
    assert HOSTILE not in page()
    assert "alert('1')</" not in page().replace("&lt;", "<!")


def test_the_page_tells_what_was_found_and_the_rate_that_is_promised() -> None:
    said = page(realised())
    assert DRIFT.drifted
    assert 'class="alarm"' in said
    assert "at most 1.00% of windows raise an alarm" in said
    assert "Performance holds" in said
    assert "Performance is not known: labels are missing." in page()


def test_the_same_window_gives_the_same_page() -> None:
    assert page() == page()


def test_the_same_report_is_json_for_programs() -> None:
    plain = report_to_plain(DRIFT, realised())
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again["drift"]["drifted"] is True
    assert again["drift"]["columns"][0]["name"] in {HOSTILE, "city"}
    assert again["performance"]["metric"] == "roc_auc"
    assert report_to_plain(DRIFT, None)["performance"] is None


def test_a_window_without_columns_has_a_page_too() -> None:
    bare = Signature("y", Task.REGRESSION, ())
    nothing = REFERENCE.take(np.empty(0, int))
    rows = replace(nothing, numbers=nothing.numbers[:, :0], categories=nothing.categories[:, :0])
    drift = check(rows, rows, bare, None, None, false_alarm_rate=0.01, seed=1)
    said = render_report("p", "m", WINDOW, bare, rows, rows, drift, None)
    assert "Not checked for drift" in said
