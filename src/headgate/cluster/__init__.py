"""`headgate up`: a local cluster as supervised commands.

This room starts `headgate api`, `headgate workloads`, `headgate node` and `headgate controller` as child processes and
imports none of them: each is an ordinary program that also runs alone. It keeps them running, keeps their logs, and
leaves no process behind, not even after its own `kill -9`: what it started stands in the data folder with start
times, so the next `up` or `down` ends exactly those processes and no others.
"""
