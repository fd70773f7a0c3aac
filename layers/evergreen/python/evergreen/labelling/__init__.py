"""Labels that people give to rows: their statements, their agreement, and what to label next."""
