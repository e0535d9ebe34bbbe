"""Coverage, gaps and duplicates, computed and never asked for."""
