"""Which datasets of a project can be joined, measured on samples of their keys.

Of each column that can be a key the values with the smallest hashes are kept: the same values are
kept in every dataset that has them, so that two samples tell how many keys they share (a k-minimum
values sketch, Bar-Yossef et al. 2002) without the rows of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from evergreen.data.described_rows import DescribedRows, Field, Values
from evergreen.data.distributions import Distribution
from evergreen.data.runs import Runs, code

MOST_KEPT = 512
"""A coverage measured on so many keys is off by 2 % (one standard error) at the most."""

MOST_UNIQUE_KEPT = 4096
"""Of a column that is a key more is kept, so that most reference tables are there completely."""

MOST_SAMPLED = 60
"""Columns that are sampled; of wider tables the first ones, where keys stand."""

LONGEST_KEY = 64
FEWEST_DISTINCT = 3
FEWEST_SHARED = 0.3
"""Columns that share fewer of their rows' keys are not told."""

LEAST_INTEGER_KEYS = 1000
"""Whole numbers overlap by chance: under different names, only so many different ones count."""

MOST_PAIRED = 12
"""Columns of which pairs are tried as a key."""

ALMOST_UNIQUE = 0.999
LARGEST_HASH = (1 << 64) - 1
FEW_ROWS = 5_000
"""Pairs that repeat themselves within the first rows are not looked at further."""


@dataclass(frozen=True)
class KeySample:
    """Some of a column's different values, as hashes in rising order, and the rows that have each.

    `complete`: all values are there. `unique`: no value occurs twice in the dataset; `rows` is
    then empty.
    """

    column: str
    type: str
    distinct: int
    unique: bool
    complete: bool
    hashes: tuple[int, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Keys:
    """What a dataset can be joined by: single columns, and pairs of columns that are a key.

    `hashing` names what made the hashes: samples made differently cannot be compared.
    """

    hashing: str
    samples: tuple[KeySample, ...]
    pairs: tuple[tuple[str, str], ...]

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Keys:
        """Read what `to_plain` gave; raises ValueError for anything else."""
        return TypeAdapter(Keys).validate_python(plain)


@dataclass(frozen=True)
class JoinSuggestion:
    """Columns of this dataset that find a row in another: `on` maps them to its key.

    `coverage`: share of this dataset's rows (that have a key) that find one; of several columns
    the least of theirs, each for itself. `keys`: different keys it was measured on.
    """

    dataset: str
    on: Mapping[str, str]
    coverage: float
    keys: int


def can_be_key(field: Field, distribution: Distribution) -> bool:
    """Whether a column's values can name rows."""
    if distribution.distinct < FEWEST_DISTINCT:
        return False
    if field.is_text:
        return distribution.lengths is not None and distribution.lengths.longest <= LONGEST_KEY
    return field.column.type == "integer" or field.is_time


def sample_key(field: Field, runs: Runs, *, whole: bool) -> KeySample:
    """Sample a column; `whole` says that its values are those of all rows."""
    unique = whole and len(runs.distinct) == runs.count
    most = MOST_UNIQUE_KEPT if unique else MOST_KEPT
    hashes = runs.distinct if field.is_text else _hashed(runs.distinct)
    order = np.argsort(hashes)[:most]
    return KeySample(
        field.column.name,
        "date" if field.is_time else field.column.type,
        len(runs.distinct),
        unique,
        whole and len(runs.distinct) <= most,
        tuple(hashes[order].tolist()),
        () if unique else tuple(runs.often[order].tolist()),
    )


def _hashed(values: NDArray[Any]) -> NDArray[np.uint64]:
    """Equally spread numbers for whole numbers or times: the finaliser of SplitMix64."""
    mixed = values.astype(np.float64 if values.dtype.kind == "f" else np.int64).view(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def gather_keys(described: DescribedRows, samples: Sequence[KeySample]) -> Keys:
    """The samples, and pairs of columns that are a key where no single column is one."""
    pairs: tuple[tuple[str, str], ...] = ()
    if described.is_all and not any(sample.unique for sample in samples):
        names = {sample.column for sample in samples}
        usable = [each for each in described.columns if each.field.column.name in names]
        pairs = tuple(_pairs(usable[:MOST_PAIRED]))
    return Keys(f"duckdb {duckdb.__version__}", tuple(samples), pairs)


def _pairs(columns: Sequence[Values]) -> Iterator[tuple[str, str]]:
    """Pairs of columns without gaps whose values together (almost) no two rows share."""
    coded = []
    for each in columns:
        if each.present.all():
            made = code(each)
            coded.append((each.field.column.name, made.codes, made.missing))
    for (one, codes, kinds), (other, others, more) in combinations(coded, 2):
        together = codes * more + others
        if kinds * more < len(together) or not _almost_unique(together[:FEW_ROWS]):
            continue
        if _almost_unique(together):
            yield one, other


def _almost_unique(codes: NDArray[np.int64]) -> bool:
    return len(np.unique(codes)) >= ALMOST_UNIQUE * len(codes)


def suggest_joins(own: Keys, references: Mapping[str, Keys]) -> tuple[JoinSuggestion, ...]:
    """How the rows of a dataset find rows in others of its project, the best coverage first."""
    found: list[JoinSuggestion] = []
    for dataset, keys in references.items():
        if keys.hashing != own.hashing:
            continue
        singles = list(_by_one_column(own, dataset, keys))
        found += singles or _by_two_columns(own, dataset, keys)
    return tuple(sorted(found, key=lambda each: (-each.coverage, each.dataset, str(each.on))))


def _by_one_column(own: Keys, dataset: str, keys: Keys) -> Iterator[JoinSuggestion]:
    for reference in keys.samples:
        if not reference.unique:
            continue
        for sample in own.samples:
            same = sample.column.casefold() == reference.column.casefold()
            if sample.type != reference.type or not (same or _tells(sample)):
                continue
            coverage, measured = _coverage(sample, reference)
            if coverage >= FEWEST_SHARED:
                on = {sample.column: reference.column}
                yield JoinSuggestion(dataset, on, round(coverage, 3), measured)


def _tells(sample: KeySample) -> bool:
    """Whether equal values under another name are no chance."""
    if sample.type == "integer":
        return sample.distinct >= LEAST_INTEGER_KEYS and not sample.unique
    return sample.type == "text"


def _by_two_columns(own: Keys, dataset: str, keys: Keys) -> Iterator[JoinSuggestion]:
    ours = {sample.column.casefold(): sample for sample in own.samples}
    theirs = {sample.column: sample for sample in keys.samples}
    for pair in keys.pairs:
        on = {}
        covered = []
        for name in pair:
            sample, reference = ours.get(name.casefold()), theirs[name]
            if sample is None or sample.type != reference.type:
                break
            on[sample.column] = name
            covered.append(_coverage(sample, reference))
        if len(on) == len(pair) and min(covered)[0] >= FEWEST_SHARED:
            least, measured = min(covered)
            yield JoinSuggestion(dataset, on, round(least, 3), measured)


def _coverage(sample: KeySample, reference: KeySample) -> tuple[float, int]:
    """Share of the rows with a sampled key whose key the reference has, and of how many keys."""
    there = set(reference.hashes)
    last = LARGEST_HASH if reference.complete else reference.hashes[-1]
    rows_of = sample.rows or (1,) * len(sample.hashes)
    comparable = [
        (key, rows) for key, rows in zip(sample.hashes, rows_of, strict=True) if key <= last
    ]
    total = sum(rows for _, rows in comparable)
    if not total:
        return 0.0, 0
    return sum(rows for key, rows in comparable if key in there) / total, len(comparable)
