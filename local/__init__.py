"""The embedded local cloud: `python -m local up|down|deploy|logs|status`."""
