"""What each kind of preparation step does, a file for what belongs together."""
