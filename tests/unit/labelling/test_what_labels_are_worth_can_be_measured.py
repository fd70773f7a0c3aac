"""The simulation behind the figures of docs/labels.md runs on what preparation makes today."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bench.labelling as simulation


@pytest.mark.parametrize(
    ("target", "metric", "more"),
    [("risky", "accuracy", set()), ("cost", "rmse", {"rho", "rho of values never seen"})],
)
def test_every_way_of_choosing_is_simulated(
    target: str, metric: str, more: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"START": 40, "ROUND": 10, "ROUNDS": 2}.items():
        monkeypatch.setattr(simulation, name, value)
    draw = np.random.default_rng(0)
    lines = [f"age,town,{target},afterwards"]
    for _ in range(300):
        age, town = draw.uniform(20, 80), draw.choice(["Oslo", "Rome"])
        cost = age + draw.normal() * (10 if town == "Rome" else 1)
        lines.append(f"{age:.2f},{town},{cost if target == 'cost' else cost > 50},{cost}")
    source = tmp_path / "rows.csv"
    source.write_text("\n".join(lines) + "\n")
    rows = simulation.all_rows(source, target, ["afterwards"])
    assert [column.name for column in rows.signature.columns] == ["age", "town"]
    for way in simulation.ways_of(rows):
        first, *_, last = simulation.simulate(rows, "linear", way, seed=1)
        assert {metric, f"{metric} on its own labels"} <= set(last)
        assert more & set(first) == (more if way.random == 1 else set())
