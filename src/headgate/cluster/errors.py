"""Why a local cluster does not start or stop, in one sentence."""


class ClusterError(Exception):
    """Something about the machine or the arguments that a person has to change; the message is one sentence."""
