"""What this room says to databases: its own tables, and how PostgreSQL shows one moment to two programs."""
