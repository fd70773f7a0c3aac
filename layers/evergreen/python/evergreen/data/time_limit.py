"""Work that ends in time: what takes longer is broken off and told, before the function is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import duckdb

GRACE_SECONDS = 2.0
"""The engine, once it is told to end, has so long before Python code is ended where it is."""

AGAIN_SECONDS = 5.0
"""Then that is told again as often: it may have been where nobody listens."""


class OutOfTimeError(Exception):
    """Work took longer than it may."""


class _TimeIsUp(BaseException):
    """Ends the work wherever it is: it passes where any Exception is taken for damage."""


@contextmanager
def at_most(seconds: float, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Break off what runs inside after so many seconds; raises OutOfTimeError then.

    Queries of `connection` are interrupted, and so is Python code: a loop over the million members
    of an archive, a helper that is waited for. Only a single call into another library is finished
    first. Signals reach the main thread alone, where Lambda runs its handlers; in other threads
    the engine alone is interrupted.
    """
    late, ended = threading.Event(), threading.Event()

    def interrupt() -> None:
        late.set()
        connection.interrupt()

    def end(_: int, __: FrameType | None) -> None:
        if not ended.is_set():
            late.set()
            raise _TimeIsUp

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        with _signalled(seconds + GRACE_SECONDS, end):
            yield
            ended.set()
    except (_TimeIsUp, Exception) as error:
        ended.set()
        # The engine's error may have been taken for one of the file.
        if not late.is_set():
            raise
        raise OutOfTimeError(f"it takes longer than {seconds:,.0f} seconds") from error
    finally:
        timer.cancel()


@contextmanager
def _signalled(seconds: float, end: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
