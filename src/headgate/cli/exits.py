"""How a command ends: the exceptions that `headgate.cli.main` turns into exit codes."""


class Failed(Exception):  # noqa: N818 - not an error of the program: the answer is no
    """What was asked for failed: exit code 1, the sentence (if any) on stderr."""


class BadEnvironment(Exception):  # noqa: N818 - reads as `raise BadEnvironment("port 6443 is taken …")`
    """The machine or the arguments do not allow it: exit code 2 and one sentence, before anything half-starts."""
