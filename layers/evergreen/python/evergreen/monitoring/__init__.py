"""Watching a served model: windows, drift, performance and the retraining policy."""
