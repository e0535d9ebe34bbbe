"""Where and how containers run: workload, plan, engines."""
