"""How strongly a column of groups goes with numbers or with classes: 0 not at all, 1 it tells all.

Both measures are corrected for bias: of groups that say nothing they are about 0, however many
groups there are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def correlation_ratio(groups: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    """Square root of the share of the variance that lies between the groups.

    The share is Kelley's ε² = 1 - (1 - η²)(n - 1)/(n - k), as of Fisher's η² but unbiased
    (T. L. Kelley, *An unbiased correlation ratio measure*, PNAS 1935).
    """
    sizes = np.bincount(groups)
    sums = np.bincount(groups, weights=values)
    some = sizes > 0
    rows, kinds = len(values), int(some.sum())
    if kinds < 2 or rows <= kinds:  # noqa: PLR2004
        return 0.0
    centre = values.mean()
    total = float(((values - centre) ** 2).sum())
    if total == 0:
        return 0.0
    between = float((sizes[some] * (sums[some] / sizes[some] - centre) ** 2).sum())
    share = 1 - (1 - between / total) * (rows - 1) / (rows - kinds)
    return math.sqrt(min(1.0, max(0.0, share)))


def cramers_v(groups: NDArray[np.int64], classes: NDArray[np.int64]) -> float:
    """Cramér's V with the bias correction of W. Bergsma (*J. Korean Stat. Soc.* 42, 2013)."""
    rows = len(groups)
    if not rows:
        return 0.0
    shape = (int(groups.max()) + 1, int(classes.max()) + 1)
    table = np.bincount(groups * shape[1] + classes, minlength=shape[0] * shape[1]).reshape(shape)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    kinds, others = table.shape
    if min(kinds, others) < 2:  # noqa: PLR2004
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    phi = float(((table - expected) ** 2 / expected).sum()) / rows
    phi = max(0.0, phi - (kinds - 1) * (others - 1) / (rows - 1))
    least = min(
        kinds - (kinds - 1) ** 2 / (rows - 1),
        others - (others - 1) ** 2 / (rows - 1),
    )
    return math.sqrt(min(1.0, phi / (least - 1))) if least > 1 else 0.0
