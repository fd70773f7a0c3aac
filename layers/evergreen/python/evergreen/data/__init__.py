"""From files that people upload to typed Parquet parts: refused, quarantined or understood."""
