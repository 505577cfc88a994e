"""The error of a local cluster that cannot be started or stopped."""


class ClusterError(Exception):
    """The machine or the arguments do not allow it; the message is one sentence that says what to change."""
