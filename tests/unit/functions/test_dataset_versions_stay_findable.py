"""Each version of a dataset keeps its record; any two can be compared; a proposal is offered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from evergreen.contracts.facts import DatasetIngested, UploadQuarantined
from evergreen.contracts.project_reading import read_project_file
from tests.unit.functions.conftest import CONTEXT, Function
from tests.unit.functions.uploading import Uploads

JAN = "id,mail,x\n" + "".join(f"{i},a{i}@b.org,{i % 10}\n" for i in range(80))
FEB = "id,mail,x,new\n" + "".join(f"{i},a{i}@b.org,{5 + i % 10},n\n" for i in range(80, 160))


@pytest.fixture
def uploads(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Uploads:
    return Uploads(function("ingest_upload"), monkeypatch)


@pytest.fixture
def console(uploads: Uploads, function: Callable[[str], Function]) -> Callable[..., Any]:
    made = function("console_api")
    vars(made.app.stage).update(table=uploads.ingest.table, lake=uploads.ingest.lake)

    def ask(path: str, **query: str) -> tuple[int, Mapping[str, Any]]:
        event = {
            "httpMethod": "GET",
            "path": path,
            "queryStringParameters": query,
            "headers": {},
            "requestContext": {"requestId": "r"},
        }
        answer = made.app.handler(event, CONTEXT)
        return answer["statusCode"], json.loads(answer["body"])

    return ask


def test_every_version_is_recorded_with_what_it_was_made_of(
    uploads: Uploads, console: Callable[..., Any]
) -> None:
    uploads.declare({"owner": "ops", "columns": {"mail": {"pii": "email"}}})
    uploads.put("uploads/p/d/jan.csv", JAN)
    uploads.put("uploads/p/d/feb.csv", FEB + "1,2\n")
    status, body = console("/projects/p/datasets/d/versions")
    assert status == 200
    second, first = body["versions"]
    said = [fact.version for fact in uploads.said(DatasetIngested)]
    assert [first["version"], second["version"]] == said
    assert (second["rows"], second["parts"], second["quarantined_rows"]) == (160, 2, 1)
    assert (second["owner"], second["pii"]) == ("ops", {"mail": "email"})
    assert len(second["code"]) == 32
    assert uploads.ingest.lake.read(second["profile"])
    record = json.loads(uploads.ingest.lake.read(second["record"]))
    sources = {key: part["version_id"] for key, part in record["parts"].items()}
    assert sources == {"uploads/p/d/jan.csv": "v1", "uploads/p/d/feb.csv": "v2"}
    assert [column["name"] for column in record["schema"]] == ["id", "mail", "x", "new"]


def test_two_versions_are_compared(uploads: Uploads, console: Callable[..., Any]) -> None:
    uploads.put("uploads/p/d/jan.csv", JAN)
    uploads.put("uploads/p/d/feb.csv", FEB)
    uploads.put("uploads/p/d/jan.csv", JAN.replace("1\n", "2\n"))
    versions = [fact.version for fact in uploads.said(DatasetIngested)]
    status, whole = console("/projects/p/datasets/d/diff", **{"from": versions[0]})
    assert status == 200
    assert (whole["before"], whole["after"]) == (versions[0], versions[2])
    assert (whole["rows_before"], whole["rows_after"]) == (80, 160)
    assert whole["parts_added"] == ["uploads/p/d/feb.csv"]
    assert whole["parts_replaced"] == ["uploads/p/d/jan.csv"]
    assert whole["columns_added"] == ["new"]
    assert {move["column"]: move["distance"] for move in whole["moves"]}["x"] > 0.2
    _, last = console("/projects/p/datasets/d/diff")
    assert last["before"] == versions[1]
    _, middle = console("/projects/p/datasets/d/diff", to=versions[1])
    assert (middle["before"], middle["rows_before"]) == (versions[0], 80)
    _, first = console("/projects/p/datasets/d/diff", to=versions[0])
    assert first["before"] == versions[0]  # Nothing was before it.


def test_what_a_new_rule_took_is_compared_with_what_was_before_the_rule(
    uploads: Uploads, console: Callable[..., Any]
) -> None:
    uploads.put("uploads/p/d/jan.csv", JAN)
    uploads.put("uploads/p/d/more.csv", JAN.replace("@b.org", "@c.org"))
    uploads.declare({"constraints": [{"column": "x", "range": [0, 8]}]})
    _, diff = console("/projects/p/datasets/d/diff")
    assert (diff["rows_before"], diff["rows_after"]) == (160, 144)
    assert diff["parts_replaced"] == ["uploads/p/d/jan.csv", "uploads/p/d/more.csv"]


def test_a_dataset_that_is_again_what_it_was_is_compared_with_what_it_was_since(
    uploads: Uploads, console: Callable[..., Any]
) -> None:
    for rows in (JAN, FEB, JAN):
        uploads.put("uploads/p/d/jan.csv", rows)
    first, second, third = (fact.version for fact in uploads.said(DatasetIngested))
    assert first == third
    _, diff = console("/projects/p/datasets/d/diff")
    assert (diff["before"], diff["after"]) == (second, first)
    _, diff = console("/projects/p/datasets/d/diff", to=second)
    assert (diff["before"], diff["after"]) == (first, second)


def test_a_diff_counts_as_pandas_does(uploads: Uploads, console: Callable[..., Any]) -> None:
    rng = np.random.default_rng(1)

    def part(n: int, at: int) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "id": np.arange(at, at + n),
                "price": rng.lognormal(2, 1.5, n).round(2),
                "count": rng.integers(0, 9, n),
                "city": rng.choice(["Basel", "Bern", "Zug"], n),
                "old": rng.random(n).round(3),
            }
        )

    before = {"a": part(300, 0), "b": part(200, 300), "c": part(50, 500)}
    after = {
        "a": before["a"],
        "b": part(400, 600).rename(columns={"old": "renamed"}),
        "e": part(70, 2000).assign(city=None, count=lambda frame: frame["count"] + 0.5),
        "c": before["c"].drop(columns="old").assign(price=lambda frame: frame["price"] * 9),
    }
    versions = []
    for parts in (before, after):
        for name, frame in parts.items():
            uploads.put(f"uploads/p/d/{name}.csv", frame.to_csv(index=False))
        versions.append(uploads.said(DatasetIngested)[-1].version)
    _, diff = console("/projects/p/datasets/d/diff", **{"from": versions[0], "to": versions[1]})

    one, other = (pd.concat(parts.values()) for parts in (before, after))
    assert (diff["rows_before"], diff["rows_after"]) == (len(one), len(other))
    assert diff["parts_added"] == ["uploads/p/d/e.csv"]
    assert diff["parts_removed"] == []
    assert diff["parts_replaced"] == ["uploads/p/d/b.csv", "uploads/p/d/c.csv"]
    assert (diff["columns_added"], diff["columns_removed"]) == (["renamed"], [])
    assert diff["columns_changed"] == ["count: integer → number"]
    moves = {move["column"]: move for move in diff["moves"]}
    assert set(moves) == set(one.columns)
    for name, move in moves.items():
        assert move["nulls_before"] == pytest.approx(one[name].isna().mean(), abs=1e-6)
        assert move["nulls_after"] == pytest.approx(other[name].isna().mean(), abs=1e-6)
        if name == "city":
            shares = [each[name].value_counts(normalize=True) for each in (one, other)]
            assert move["distance"] == pytest.approx((shares[0] - shares[1]).abs().sum() / 2)
            continue
        assert move["mean_before"] == pytest.approx(one[name].mean())
        assert move["mean_after"] == pytest.approx(other[name].mean())
        values = [each[name].dropna() for each in (one, other)]
        true = ks_2samp(*values, method="asymp").statistic
        assert move["distance"] == pytest.approx(true, abs=0.01 + 1e-6)


def test_unknown_versions_and_datasets_are_told(
    uploads: Uploads, console: Callable[..., Any]
) -> None:
    uploads.put("uploads/p/d/jan.csv", JAN)
    status, body = console("/projects/p/datasets/d/diff", to="nothing")
    assert status == 404
    assert "'to' is 'nothing', no version of 'd'" in body["message"]
    assert console("/projects/p/datasets/e/diff")[0] == 404
    assert console("/projects/p/datasets/e/versions")[0] == 404


def test_a_proposal_is_offered_that_fits_its_data(
    uploads: Uploads, console: Callable[..., Any]
) -> None:
    uploads.put("uploads/p/d/jan.csv", JAN)
    _, body = console("/projects/p/datasets")
    (listed,) = body["datasets"]
    text = f"project: p\ndataset: d\ntarget: x\n{listed['proposal']}"
    declared = read_project_file(text.encode(), "p").declared("d")
    assert declared.key == ["id"]
    assert declared.columns["x"].range == [0, 9]
    assert declared.columns["mail"].pii == "email"
    assert declared.markers("x")[:2] == ("", "NA")


def test_a_changed_declaration_judges_the_parts_anew(uploads: Uploads) -> None:
    uploads.put("uploads/p/d/jan.csv", JAN)
    uploads.put("uploads/p/e/other.csv", JAN)
    first = uploads.said(DatasetIngested)[0]
    uploads.declare({"constraints": [{"column": "x", "range": [0, 8]}]})
    again = uploads.said(DatasetIngested)[2:]
    assert [(fact.dataset, fact.rows, fact.quarantined_rows) for fact in again] == [("d", 72, 8)]
    assert again[0].version != first.version
    uploads.declare({"constraints": [{"column": "x", "range": [0, 8]}], "owner": "ops"})
    assert len(uploads.said(DatasetIngested)) == 3


def test_a_part_that_is_refused_anew_stays_and_that_is_said(uploads: Uploads) -> None:
    uploads.put("uploads/p/d/jan.csv", JAN)
    uploads.declare({"constraints": [{"rows": [100, None]}]})
    (refused,) = uploads.said(UploadQuarantined)
    assert "the file has 80 good rows; expected are at least 100" in refused.reasons[0]
    assert len(uploads.rows()) == 80


def test_a_file_is_as_fresh_as_it_was_when_it_came(uploads: Uploads) -> None:
    declared = {"constraints": [{"column": "day", "freshness": "2 days"}]}
    uploads.declare(declared)
    uploads.put("uploads/p/d/a.csv", "id,day\n1,2026-01-01\n", at="2026-01-02T00:00:00Z")
    uploads.declare({**declared, "most_bad_rows": 0.5})  # long after
    assert uploads.said(UploadQuarantined) == []
    uploads.put("uploads/p/d/a.csv", "id,day\n1,2026-01-01\n", at="2026-01-09T00:00:00Z")
    assert "the newest 'day' is 2026-01-01" in uploads.said(UploadQuarantined)[0].reasons[0]


def test_repairs_survive_a_rule_that_does_not_concern_them(uploads: Uploads) -> None:
    declared = {"columns": {"x": {"type": "integer"}}}
    uploads.declare(declared)
    uploads.put("uploads/p/d/jan.csv", JAN + "80,m,bad\n")
    offered = uploads.repairable("uploads/p/d/jan.csv")
    uploads.put("uploads/p/d/fixed.csv", offered.replace(",bad,", ",7,"))
    assert len(uploads.rows()) == 81
    uploads.declare({**declared, "constraints": [{"row": "id <> 3"}]})
    assert len(uploads.rows()) == 80
    assert (80, "m", 7) in uploads.rows()
    uploads.declare({**declared, "constraints": [{"row": "id <> 80"}]})
    assert len(uploads.rows()) == 80
    assert (80, "m", 7) not in uploads.rows()
