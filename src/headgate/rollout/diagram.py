"""Draws the state machine from its table, for the documentation."""

from headgate.api.delivery import PHASES

from .machine import NOT_ACCEPTED, TABLE


def mermaid() -> str:
    """A `stateDiagram-v2` of Mermaid: every transition that a rule declares, with the names of its rules."""
    rules = (*TABLE, NOT_ACCEPTED)
    edges: dict[tuple[str, str], list[str]] = {}
    for before in PHASES:
        for rule in rules:
            for after in sorted(rule.to):
                if before in rule.phases:
                    edges.setdefault((before or "[*]", after), []).append(rule.name)
    lines = ["stateDiagram-v2", "    state rollout {"]
    lines += [f"        {before} --> {after}: {', '.join(names)}" for (before, after), names in edges.items()]
    lines.append("    }")
    lines += [f"    rollout --> {after}: {rule.name}" for rule in TABLE if not rule.phases for after in sorted(rule.to)]
    return "\n".join(lines) + "\n"
