"""What the node and `headgate up` need of this machine: files, paths of Unix sockets, processes.

* `files`: files that appear whole or not at all, with private modes.
* `socket_paths`: short paths to deep folders, for Unix sockets.
* `processes`: starts programs as process groups and waits for their end.
* `process_records`: which processes were started, on disk: finds and ends them after a crash.
"""
