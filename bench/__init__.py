"""Speed and memory: each benchmark is one command that prints its figures against a baseline in the same run."""
