"""Drawings of the graph of jobs. Knows names, counts and edges; nothing of states or runs."""
