"""What people and functions say to each other: events, commands, project files."""
