"""How good a model is, and whether it is good enough."""
