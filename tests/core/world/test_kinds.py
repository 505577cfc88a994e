"""Every kind is in all places that it must be in: the world, the statuses, the rights that the chart grants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from headgate.api import codec, gateway, gateway_x
from headgate.api.delivery import Canary
from headgate.api.meta import Object
from headgate.controllers.gateways import fleet_objects
from headgate.incremental import Engine
from headgate.rollout import snapshot
from headgate.world import World
from headgate.world.kinds import WatchedKind
from headgate.world.objects import KINDS

CLUSTER_ROLE = Path(__file__).parents[3] / "charts/headgate/templates/clusterrole.yaml"
OF_GATEWAY_API = [kind for kind in codec.KINDS if kind.group in (gateway.GROUP, gateway_x.GROUP)]
OF_FLAGGER = [kind for kind in codec.KINDS if kind.group == codec.kind_of(Canary).group]
#: The kinds that the rollout controller reads.
OF_ROLLOUTS = {*snapshot.TYPES, Canary}


def granted() -> Mapping[tuple[str, str], frozenset[str]]:
    """The verbs of the chart's ClusterRole, by API group and resource. Lines of the template language are left out."""
    lines = [line for line in CLUSTER_ROLE.read_text().splitlines() if "{{" not in line]
    role = next(yaml.safe_load_all("\n".join(lines)))
    verbs: dict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs[group, resource] |= set(rule["verbs"])
    return verbs


@pytest.mark.parametrize("kind", OF_GATEWAY_API, ids=lambda kind: kind.kind)
def test_every_kind_of_the_gateway_api_is_in_the_world(kind: codec.Kind) -> None:
    assert kind.type in World(Engine()).sources


@pytest.mark.parametrize("kind", OF_GATEWAY_API, ids=lambda kind: kind.kind)
def test_every_kind_of_the_gateway_api_with_a_status_has_one_written(kind: codec.Kind) -> None:
    (row,) = [row for row in KINDS if row.type is kind.type]
    assert (row.status is not None) == kind.status


@pytest.mark.parametrize("row", KINDS, ids=lambda row: row.name)
def test_the_chart_grants_what_the_gateway_controller_does_with_a_kind(row: WatchedKind[Object]) -> None:
    verbs = granted()
    for resource, needed in row.rights.items():
        assert needed <= verbs[row.group, resource], resource


@pytest.mark.parametrize("cls", fleet_objects.KINDS, ids=lambda cls: cls.__name__)
def test_the_chart_grants_the_watches_of_fleets(cls: type[Object]) -> None:
    kind = codec.kind_of(cls)
    assert {"list", "watch"} <= granted()[kind.group, kind.plural]


@pytest.mark.parametrize("kind", OF_FLAGGER, ids=lambda kind: kind.kind)
def test_every_kind_of_flagger_is_read_by_rollouts(kind: codec.Kind) -> None:
    assert kind.type in OF_ROLLOUTS


@pytest.mark.parametrize("cls", sorted(OF_ROLLOUTS, key=str), ids=lambda cls: cls.__name__)
def test_the_chart_grants_what_rollouts_read(cls: type[Object]) -> None:
    kind = codec.kind_of(cls)
    assert {"get", "list", "watch"} <= granted()[kind.group, kind.plural]


def test_a_row_is_a_source_on_a_world_and_itself_on_the_class() -> None:
    world = World(Engine())
    assert world.http_routes is world.source(gateway.HTTPRoute)
    assert World.http_routes in KINDS


def test_only_kinds_of_routes_are_carried_by_protocols() -> None:
    assert {row.type for row in KINDS if row.protocols} == set(gateway.Route.__args__)
