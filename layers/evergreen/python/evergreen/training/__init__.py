"""The search for a model: families, plan, trials, refit and export."""
