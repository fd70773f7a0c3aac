"""Benchmarks: what the journey and a prediction cost on this machine."""
