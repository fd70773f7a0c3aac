"""A profile says how strongly each column goes with the target, by which method, and how."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from evergreen.data.association import correlation_ratio, cramers_v
from evergreen.data.likeness import spearman
from evergreen.data.profile import ColumnProfile, Profile, profile
from evergreen.data.ranks import ranks
from evergreen.data.relations import CRAMERS_V, MISSING, RATIO, Relation
from tests.unit.data.uploads import write_parquet


def relation(made: Profile, name: str) -> Relation:
    found = next(each.relation for each in made.columns if each.name == name)
    assert found is not None
    return found


def column(made: Profile, name: str) -> ColumnProfile:
    return next(each for each in made.columns if each.name == name)


def codes(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers from 0 that rise with the values."""
    found: NDArray[np.int64] = np.unique(values, return_inverse=True)[1]
    return found


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write_parquet(
        tmp_path / "people.parquet",
        "SELECT i::BIGINT AS id, (i * 7919 % 1000)::DOUBLE AS noise, i % 4 = 0 AS bought, "
        "CASE WHEN i % 4 = 0 THEN 'yes' ELSE 'no' END AS same, "
        "CASE WHEN i % 4 > 0 THEN 'x' || (i * 31 % 7) END AS told_by_gap, "
        "(i % 4 = 0)::INT * 100 + (i * 7919 % 50) AS price, "
        "power(i * 7919 % 1000, 3)::DOUBLE AS cube FROM range(2000) r(i)",
    )


def test_classes_are_held_against_by_cramers_v(people: Path) -> None:
    made = profile([people], target="bought")
    assert made.target is not None
    assert made.target.classes == ("false", "true")
    assert made.target.shares == (0.75, 0.25)
    assert relation(made, "same").method == CRAMERS_V
    assert relation(made, "same").strength == pytest.approx(1, abs=0.01)
    assert relation(made, "price").strength > 0.9
    assert relation(made, "noise").strength < 0.1
    assert column(made, "bought").relation is None


def test_a_gap_can_tell_the_target(people: Path) -> None:
    found = relation(profile([people], target="bought"), "told_by_gap")
    assert found.strength == pytest.approx(1, abs=0.01)
    missing = found.groups[-1]
    assert (missing.label, missing.rows, missing.shares) == (MISSING, 500, (0.0, 1.0))


def test_numbers_are_held_against_by_the_correlation_ratio(people: Path) -> None:
    made = profile([people], target="cube")
    found = relation(made, "noise")
    assert found.method == RATIO
    assert found.strength == pytest.approx(1, abs=0.01)
    assert found.spearman == 1
    assert found.pearson == pytest.approx(
        stats.pearsonr(np.arange(1000), np.arange(1000) ** 3)[0], abs=1e-3
    )
    assert relation(made, "same").strength < 0.1
    assert sum(group.rows for group in found.groups) == 2000


def test_names_tell_nothing_of_the_target(people: Path, tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "named.parquet",
        f"SELECT *, md5(id::VARCHAR) AS name FROM read_parquet('{people}')",
    )
    assert relation(profile([path], target="bought"), "name").strength == 0


def test_rows_without_the_target_are_left_out(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "gaps.parquet",
        "SELECT i % 5 AS a, CASE WHEN i % 2 = 0 THEN i % 5 = 0 END AS y FROM range(1000) r(i)",
    )
    made = profile([path], target="Y")
    assert made.target is not None
    assert (made.target.column, made.target.rows) == ("y", 500)
    assert sum(group.rows for group in relation(made, "a").groups) == 500


@pytest.mark.parametrize("target", [None, "nowhere", "when", "void"])
def test_without_a_target_that_can_be_predicted_nothing_is_held_against_it(
    tmp_path: Path, target: str | None
) -> None:
    path = write_parquet(
        tmp_path / "rows.parquet",
        "SELECT i AS a, DATE '2020-01-01' + i::INT AS when, NULL::VARCHAR AS void "
        "FROM range(30) r(i)",
    )
    made = profile([path], target=target)
    assert made.target is None
    assert all(each.relation is None for each in made.columns)


def test_a_value_that_most_rows_share_is_a_group_of_its_own(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "gains.parquet",
        "SELECT CASE WHEN i % 20 = 0 THEN i * 7.5 ELSE 0 END AS gain, i % 20 = 0 AS rich "
        "FROM range(2000) r(i)",
    )
    found = relation(profile([path], target="rich"), "gain")
    assert (found.groups[0].label, found.groups[0].rows) == ("0", 1901)
    assert len(found.groups) > 3
    assert found.strength > 0.95


def test_the_corrected_ratio_agrees_with_kruskal_and_wallis() -> None:
    chance = np.random.default_rng(1)
    groups = chance.integers(0, 6, 500)
    values = chance.normal(size=500).round(1) + groups / 3
    statistic = stats.kruskal(*(values[groups == each] for each in range(6))).statistic
    expected = np.sqrt((statistic - 6 + 1) / (500 - 6))
    assert correlation_ratio(groups, ranks(codes(values))) == pytest.approx(expected)


def test_the_corrected_v_agrees_with_its_formula_on_scipys_chi_squared() -> None:
    chance = np.random.default_rng(2)
    groups = chance.integers(0, 5, 800)
    classes = (groups + chance.integers(0, 3, 800)) % 4
    table = np.zeros((5, 4))
    np.add.at(table, (groups, classes), 1)
    chi_squared = stats.chi2_contingency(table, correction=False).statistic
    phi = chi_squared / 800 - 4 * 3 / 799
    least = min(5 - 16 / 799, 4 - 9 / 799)
    assert cramers_v(groups, classes) == pytest.approx(np.sqrt(phi / (least - 1)))


def test_groups_that_say_nothing_are_about_zero_however_many_they_are() -> None:
    chance = np.random.default_rng(3)
    for kinds in (2, 20, 200):
        groups = chance.integers(0, kinds, 2000)
        assert correlation_ratio(groups, chance.normal(size=2000)) < 0.12
        assert cramers_v(groups, chance.integers(0, 3, 2000)) < 0.12


def test_rank_correlations_agree_with_scipy() -> None:
    chance = np.random.default_rng(4)
    one, other = chance.normal(size=300), chance.exponential(size=300).round(1)
    both = np.ones(300, dtype=bool)
    found = spearman([codes(one), codes(other + one)], [both, both])
    assert found[0, 1] == pytest.approx(stats.spearmanr(one, other + one).statistic)
    assert (ranks(codes(other)) == stats.rankdata(other)).all()
