"""What containers are allowed, what they do, and what follows: posture, sense, judge, respond."""
