"""Ends what a killed `headgate up`, or a killed node of it, left running."""

from headgate.cluster.data_folder import DataFolder
from headgate.host import process_records

#: In the environment of every component, with the data folder as its value: finds those that have no record yet.
MARK = "HEADGATE_CLUSTER"
#: The order in which components end; others come before these.
_LAST = ("node", "workloads", "api")
#: Seconds between SIGTERM and SIGKILL. The node ends its pods in order first.
_GRACE, _NODE_GRACE, _POD_GRACE = 10.0, 40.0, 5.0


def end_orphans(folder: DataFolder) -> int:
    """End the processes of a data folder whose supervisor or node was killed; how many there were.

    The node comes first and gets time to end its pods in order; what it does not end is in its own records.
    """
    components = process_records.read_all(folder.processes)
    rank = {name: place for place, name in enumerate(_LAST)}
    ended = 0
    for file in sorted(components, key=lambda file: rank.get(file.stem, -1)):
        ended += process_records.is_group_running(components[file])
        process_records.end((components[file],), grace=_NODE_GRACE if file.stem == "node" else _GRACE)
        file.unlink(missing_ok=True)
        if file.stem == "node":
            ended += _end_pods(folder)
    unrecorded = process_records.marked(MARK, str(folder.path))
    process_records.end(unrecorded, grace=_POD_GRACE)
    return ended + _end_pods(folder) + len(unrecorded)


def has_processes(folder: DataFolder) -> bool:
    """Whether a component or a pod of a data folder runs, with or without its supervisor."""
    try:
        records = process_records.read_all(folder.processes) | process_records.read_all(folder.node_processes)
    except OSError:
        return False  # nothing can run in a folder that cannot be looked up
    return any(process_records.is_group_running(record) for record in records.values())


def _end_pods(folder: DataFolder) -> int:
    records = process_records.read_all(folder.node_processes)
    running = [record for record in records.values() if process_records.is_group_running(record)]
    process_records.end(running, grace=_POD_GRACE)
    for file in records:
        file.unlink(missing_ok=True)
    return len(running)
