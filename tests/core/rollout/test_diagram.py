"""The drawn state machine is the one that runs."""

from __future__ import annotations

from pathlib import Path

from headgate.api.delivery import PHASES
from headgate.rollout.diagram import mermaid
from headgate.rollout.machine import NOT_ACCEPTED, TABLE

DOCS = Path(__file__).parents[3] / "docs" / "rollouts.md"


def test_the_documentation_has_the_diagram_of_the_table() -> None:
    text = DOCS.read_text()
    drawn = text.partition("```mermaid\n")[2].partition("```")[0]
    assert drawn == mermaid(), "copy the output of headgate.rollout.diagram.mermaid() to docs/rollouts.md"


def test_rules_name_phases_that_a_canary_has() -> None:
    named = {phase for rule in (*TABLE, NOT_ACCEPTED) for phase in (*rule.phases, *rule.to)}
    assert named <= set(PHASES)


def test_every_phase_that_is_entered_is_left_or_is_an_end() -> None:
    entered = {phase for rule in TABLE for phase in rule.to}
    left = {phase for rule in TABLE if rule.to for phase in rule.phases}
    assert entered - left == {"Terminating"}


def test_names_of_rules_are_unique() -> None:
    names = [rule.name for rule in (*TABLE, NOT_ACCEPTED)]
    assert len(names) == len(set(names))
