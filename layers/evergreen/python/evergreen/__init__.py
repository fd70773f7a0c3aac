"""Evergreen: a machine-learning lifecycle that runs itself on small event-driven functions."""
