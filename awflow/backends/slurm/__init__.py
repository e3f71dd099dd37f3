"""The Slurm backend: submits the graph with native dependencies and goes; tasks find their way by the state alone."""
