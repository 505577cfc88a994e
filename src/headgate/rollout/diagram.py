"""Draws the state machine from its table, for the documentation."""

from .machine import NOT_ACCEPTED, TABLE, Rule


def mermaid() -> str:
    """A `stateDiagram-v2` of Mermaid: every transition that a rule declares, with the names of its rules."""
    lines = ["stateDiagram-v2", "    state rollout {"]
    lines += [f"        {line}" for line in _edges([*(rule for rule in TABLE if rule.phases), NOT_ACCEPTED])]
    lines.append("    }")
    for rule in TABLE:
        lines += [f"    rollout --> {phase}: {rule.name}" for phase in sorted(rule.to) if not rule.phases]
    return "\n".join(lines) + "\n"


def _edges(rules: list[Rule]) -> list[str]:
    edges: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        for before in sorted(rule.phases):
            for after in sorted(rule.to):
                edges.setdefault((before or "[*]", after), []).append(rule.name)
    return [f"{before} --> {after}: {', '.join(names)}" for (before, after), names in edges.items()]
