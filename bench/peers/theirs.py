"""One run of ydata-profiling's minimal description and Great Expectations' validation of a table.

Run by the interpreter of .venv-peers; prints seconds, versions and which rules are broken.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import great_expectations as gx  # noqa: E402
import great_expectations.expectations as gxe  # noqa: E402
import pandas as pd  # noqa: E402
from ydata_profiling import ProfileReport  # noqa: E402

RULES = Path(__file__).parent / "rules.json"


def main(text: Path) -> None:
    """Profile and check the table."""
    table = pd.read_csv(text, parse_dates=["time_hour"])
    rules = json.loads(RULES.read_text())
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    source = context.data_sources.add_pandas("tables").add_dataframe_asset("flights")
    batch = source.add_batch_definition_whole_dataframe("all")
    suite = gx.ExpectationSuite("rules", expectations=[])
    for place, rule in enumerate(rules):
        suite.add_expectation(expectation(rule, {"place": place}))

    began = time.perf_counter()
    ProfileReport(table, minimal=True, progress_bar=False).get_description()
    profiled = time.perf_counter()
    found = batch.get_batch(batch_parameters={"dataframe": table}).validate(
        suite, result_format="BASIC"
    )
    checked = time.perf_counter()
    broken = sorted(
        each.expectation_config.meta["place"] for each in found.results if not each.success
    )
    report = {
        "profile": profiled - began,
        "checks": checked - profiled,
        "broken": broken,
        "versions": f"ydata-profiling {version('ydata-profiling')}\n"
        f"great-expectations {version('great-expectations')}",
    }
    print(json.dumps(report))


def expectation(rule: dict[str, Any], meta: dict[str, int]) -> Any:
    """A rule of the project file as their expectation."""
    if "rows" in rule:
        least, greatest = rule["rows"]
        return gxe.ExpectTableRowCountToBeBetween(meta=meta, min_value=least, max_value=greatest)
    if "not_null" in rule:
        return gxe.ExpectColumnValuesToNotBeNull(meta=meta, column=rule["not_null"][0])
    if "unique" in rule:
        return gxe.ExpectCompoundColumnsToBeUnique(meta=meta, column_list=rule["unique"])
    about = {"column": rule["column"], "meta": meta}
    if "in" in rule:
        return gxe.ExpectColumnValuesToBeInSet(value_set=rule["in"], **about)
    if "matches" in rule:
        return gxe.ExpectColumnValuesToMatchRegex(regex=f"^({rule['matches']})$", **about)
    kind = (
        gxe.ExpectColumnValuesToBeBetween
        if "range" in rule
        else gxe.ExpectColumnValueLengthsToBeBetween
    )
    least, greatest = rule.get("range") or rule["length"]
    return kind(min_value=least, max_value=greatest, **about)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
