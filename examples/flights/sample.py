"""Make this example's data from the tables of nycflights13: `python sample.py <folder>`.

The folder holds flights.parquet, planes.csv, airports.csv and weather.csv. Every eighth flight of
the first half of 2013 is taken, chosen by a digest of the flight itself, so that the same tables
give the same sample on any machine.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import duckdb

HERE = Path(__file__).parent
MONTHS = range(1, 7)
ONE_IN = 8
FLIGHT = "year, month, day, carrier, flight, origin, dest, sched_dep_time"
WEATHER = (
    "origin, time_hour, temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip, pressure, visib"
)
FORM = "(FORMAT parquet, COMPRESSION zstd)"


def sample(source: Path) -> None:
    """Write flights by month, the weather of those months, and the other tables unchanged."""
    (HERE / "flights").mkdir(exist_ok=True)
    with duckdb.connect(config={"threads": 1}) as connection:
        for month in MONTHS:
            connection.execute(
                f"COPY (SELECT * FROM read_parquet('{source}/flights.parquet') "
                f"WHERE month = {month} "
                f"AND md5_number_lower(concat_ws('|', {FLIGHT})) % {ONE_IN} = 0 "
                f"ORDER BY time_hour, sched_dep_time, carrier, flight) "
                f"TO '{HERE}/flights/2013-{month:02}.parquet' {FORM}"
            )
        connection.execute(
            f"COPY (SELECT {WEATHER} FROM read_csv('{source}/weather.csv', nullstr = 'NA', "
            f"types = {{'time_hour': 'VARCHAR'}}) WHERE month <= {max(MONTHS)} "
            f"ORDER BY time_hour, origin) TO '{HERE}/weather.parquet' {FORM}"
        )
    for name in ("planes.csv", "airports.csv"):
        shutil.copyfile(source / name, HERE / name)


if __name__ == "__main__":
    sample(Path(sys.argv[1]))
