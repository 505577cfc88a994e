"""Ends the processes of pods that a killed node left running: no process is their parent any more."""

import os
from pathlib import Path

import structlog

from headgate.host import process_records

_log = structlog.get_logger("headgate.node")

#: In the environment of every process of a node, with the node's id as its value: finds those without a record.
MARK = "HEADGATE_NODE"
#: Seconds between SIGTERM and SIGKILL. A pod without a node has no status that could report a graceful end.
_GRACE = 1.0


def end_orphans(records: Path, node_id: str) -> int:
    """End every recorded process group of a node, and its processes that are not recorded; how many there were."""
    files = process_records.read_all(records)
    orphans = {record.pid: record for record in files.values() if process_records.is_group_running(record)}
    unrecorded = process_records.marked(MARK, node_id)
    orphans |= {record.pid: record for record in unrecorded if record.pid != os.getpid()}
    process_records.end(orphans.values(), grace=_GRACE)
    for file in records.glob("*.json"):
        file.unlink(missing_ok=True)
    if orphans:
        _log.warning("ended processes that a killed node left", count=len(orphans))
    return len(orphans)
