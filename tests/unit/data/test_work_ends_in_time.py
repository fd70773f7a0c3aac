"""What takes longer than it may is broken off and told, wherever it is, and leaves nothing."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from threading import Thread

import duckdb
import pytest

from evergreen.data import time_limit
from evergreen.data.ingestion import UploadRefusedError, ingest
from evergreen.data.limits import Limits
from evergreen.data.time_limit import OutOfTimeError, at_most
from tests.unit.data.uploads import Uploader

ENDLESS = "SELECT count(*) FROM range(2000000) a, range(2000000) b WHERE a.range * b.range = 7"


def query(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(ENDLESS).fetchall()


def query_taken_for_damage(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute(ENDLESS).fetchall()
    except duckdb.Error as error:
        raise UploadRefusedError([]) from error


def loop(_: duckdb.DuckDBPyConnection) -> None:
    while True:
        time.sleep(0.01)


def loop_that_takes_errors_for_damage(_: duckdb.DuckDBPyConnection) -> None:
    while True:
        try:
            time.sleep(0.01)
        except Exception as error:
            raise UploadRefusedError([]) from error


@pytest.mark.parametrize(
    "work", [query, query_taken_for_damage, loop, loop_that_takes_errors_for_damage]
)
def test_endless_work_is_broken_off(
    work: Callable[[duckdb.DuckDBPyConnection], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limit, "GRACE_SECONDS", 0.5)
    before = signal.getsignal(signal.SIGALRM)
    with (
        duckdb.connect() as connection,
        pytest.raises(OutOfTimeError),
        at_most(0.2, connection),
    ):
        work(connection)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_work_in_time_and_its_errors_pass() -> None:
    with duckdb.connect() as connection:
        with at_most(60, connection):
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
        with pytest.raises(KeyError), at_most(60, connection):
            raise KeyError
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_in_another_thread_the_engine_is_interrupted() -> None:
    ended = []

    def run() -> None:
        with duckdb.connect() as connection:
            try:
                with at_most(0.2, connection):
                    query(connection)
            except OutOfTimeError:
                ended.append(True)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert ended


def test_a_file_that_takes_too_long_is_refused_and_leaves_nothing(
    uploader: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limit, "GRACE_SECONDS", 0.0)
    source = uploader.directory / "source"
    source.write_bytes(
        (json.dumps({f"k{n}": n for n in range(1_900)}) + "\n" + "{}\n" * 200_000).encode()
    )
    with pytest.raises(UploadRefusedError) as refused:
        ingest(source, "slow.json", uploader.destination, limits=Limits(seconds=1))
    (reason,) = refused.value.reasons
    assert reason.code == "too_slow"
    assert "'slow.json' takes too many seconds; divide it; at most 1 are taken" in reason.message
    assert [each.name for each in uploader.directory.iterdir()] == ["source"]
