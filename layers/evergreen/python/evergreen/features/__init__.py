"""From dataset versions to the columns that a model is trained on and asked with."""
