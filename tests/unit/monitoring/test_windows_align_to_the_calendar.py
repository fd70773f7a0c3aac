from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.monitoring.windows import window_at, windows_of

PERIODS = st.sampled_from([timedelta(hours=1), timedelta(days=1), timedelta(days=7)])
MOMENTS = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]),
)


@given(moments=st.lists(MOMENTS, min_size=1, max_size=20), period=PERIODS)
def test_every_moment_is_counted_once_in_the_window_that_holds_it(
    moments: list[datetime], period: timedelta
) -> None:
    windows = windows_of(moments, period)
    assert sum(window.rows for window in windows) == len(moments)
    for moment in moments:
        holding = [w for w in windows if w.start <= moment < w.end]
        assert [(w.start, w.end) for w in holding] == [window_at(moment, period)]


def test_days_start_at_midnight_utc_and_weeks_on_mondays() -> None:
    moment = datetime(2013, 4, 3, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    day, week = (window_at(moment, timedelta(days=n))[0] for n in (1, 7))
    assert day == datetime(2013, 4, 2, tzinfo=UTC)
    assert week == datetime(2013, 4, 1, tzinfo=UTC)


def test_a_window_is_complete_when_the_event_clock_has_passed_its_end() -> None:
    moments = np.array(["2013-04-01T10", "2013-04-02T10", "NaT"], dtype="datetime64[us]")
    by_data = windows_of(moments, timedelta(days=1))
    by_clock = windows_of(moments, timedelta(days=1), datetime(2013, 4, 3, tzinfo=UTC))
    assert [window.complete for window in by_data] == [True, False]
    assert [window.complete for window in by_clock] == [True, True]
    assert [window.name for window in by_data] == ["20130401T000000Z", "20130402T000000Z"]


def test_no_moments_are_no_windows() -> None:
    assert windows_of([], timedelta(days=1)) == ()


def test_a_period_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="period"):
        windows_of([], timedelta(0))
