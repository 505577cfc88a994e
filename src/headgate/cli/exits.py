"""The exceptions that `headgate.cli.main` converts to exit codes."""


class Failed(Exception):  # noqa: N818 - not an error of the program
    """The operation failed: exit code 1, with the message (if any) on stderr."""


class BadEnvironment(Exception):  # noqa: N818 - reads as `raise BadEnvironment("port 6443 is taken …")`
    """The environment or the arguments are invalid: exit code 2 and a message, before anything has started."""
