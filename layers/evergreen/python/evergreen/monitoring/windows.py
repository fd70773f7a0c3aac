"""Windows: calendar-aligned periods of event time, the unit that checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.monitoring.captures import naive

ORIGIN = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday at midnight: days start at midnight UTC, periods of 7 days on Mondays."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Window:
    """The half-open period [start, end), UTC; `complete` when no more rows of it are expected."""

    start: datetime
    end: datetime
    rows: int
    complete: bool

    @property
    def name(self) -> str:
        """Start of the window as text that sorts and fits a key: `20130401T000000Z`."""
        return self.start.strftime("%Y%m%dT%H%M%SZ")


def windows_of(
    moments: NDArray[Any] | list[datetime], period: timedelta, clock: datetime | None = None
) -> tuple[Window, ...]:
    """List the windows that hold rows, oldest first.

    `moments` are event times (datetimes, or datetime64 in UTC); missing ones (NaT) are left out.
    `clock` is the event clock, the time up to which events are known: a window that ended by then
    is complete. Without it, the newest moment is the clock, so the newest window is never complete.
    """
    if period < _MICROSECOND:
        raise ValueError("a window needs a period of at least a microsecond")
    times = _as_utc(moments)
    times = times[~np.isnat(times)]
    if not times.size:
        return ()
    since = (times - np.datetime64(naive(ORIGIN), "us")).astype(np.int64)
    numbers, counts = np.unique(since // (period // _MICROSECOND), return_counts=True)
    newest: datetime = times.max().astype(datetime)
    now = naive(clock) if clock else newest
    return tuple(
        _window(int(number), int(rows), period, now)
        for number, rows in zip(numbers, counts, strict=True)
    )


def window_at(moment: datetime, period: timedelta) -> tuple[datetime, datetime]:
    """Start and end of the window that holds the moment."""
    elapsed = naive(moment) - naive(ORIGIN)
    start = ORIGIN + (elapsed // period) * period
    return start, start + period


def _window(number: int, rows: int, period: timedelta, now: datetime) -> Window:
    start = ORIGIN + number * period
    end = start + period
    return Window(start, end, rows, complete=naive(end) <= now)


def _as_utc(moments: NDArray[Any] | list[datetime]) -> NDArray[np.datetime64]:
    if isinstance(moments, np.ndarray) and moments.dtype.kind == "M":
        return moments.astype("datetime64[us]")
    return np.array([naive(moment) for moment in moments], dtype="datetime64[us]")
