"""Answering prediction requests with an exported graph."""
