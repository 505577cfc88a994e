"""`headgate up`: a local cluster as supervised commands.

It starts `headgate api`, `headgate workloads`, `headgate node` and `headgate controller` as child processes and imports
none of them: each is a program that also runs alone. It keeps them running and keeps their logs. The data folder has a
record of each with its start time, so after a `kill -9` of the supervisor the next `up` or `down` ends exactly those
processes.
"""
