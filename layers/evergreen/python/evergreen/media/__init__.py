"""Pictures and recordings as named numbers, the same at ingestion and in requests.

What a number means is fixed by its name: whoever changes how one is computed renames it, so that
no model is asked with numbers that it did not learn from.
"""
