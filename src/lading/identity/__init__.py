"""Who is asking: teams, people, robots, their roles and their tokens."""
