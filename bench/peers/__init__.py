"""Evergreen beside the libraries that people profile and check tables with."""
