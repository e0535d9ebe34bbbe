"""The worker: followers, jobs, collectors and senses, in threads of one process."""
