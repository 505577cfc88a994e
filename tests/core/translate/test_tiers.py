"""Which filter chains have the slots of HTTP filters."""

from __future__ import annotations

from headgate.api.meta import Key
from headgate.envoy import routes
from headgate.envoy.http_filters import Tier, before_routing
from headgate.envoy.resources import VirtualHost
from headgate.incremental import Collection, Engine, Source
from headgate.translate import tiers

GATE = Key("shop", "gate")
SLOT = "headgate.ext_authz.http"


class Chains:
    """Filter chains of one Gateway, and their virtual hosts."""

    def __init__(self, names: list[str]) -> None:
        self.engine = Engine()
        self._configurations: Source[tuple[Key, str], str] = self.engine.source("configurations")
        self._hosts: Source[tuple[Key, str, str], VirtualHost] = self.engine.source("hosts")
        self.tiers: Collection[tuple[Key, str], Tier] = tiers.declare(self.engine, self._configurations, self._hosts)
        self.add(*names)

    def add(self, *names: str) -> None:
        for name in names:
            self._configurations.set((GATE, name), name)
        self.engine.run()

    def use(self, chain: str, *slots: str) -> None:
        route = routes.route("r", routes.Match(), routes.DirectResponse(200), per_route=dict.fromkeys(slots, b""))
        self._hosts.set((GATE, chain, "host"), routes.virtual_host("host", ("*",), [route]))
        self.engine.run()

    def of(self, tier: Tier) -> set[str]:
        return {name for (_, name), found in self.tiers.items() if found is tier}


def names(count: int) -> list[str]:
    return [f"https-443-{number}" for number in range(count)]


def test_all_chains_of_a_small_gateway_have_the_standard_slots() -> None:
    assert Chains(names(tiers.IN_ADVANCE)).of(Tier.STANDARD) == set(names(tiers.IN_ADVANCE))


def test_of_a_thousand_chains_a_fixed_number_has_slots_in_advance() -> None:
    chains = Chains(names(1000))
    assert len(chains.of(Tier.STANDARD)) == tiers.IN_ADVANCE
    assert len(chains.of(Tier.NONE)) == 1000 - tiers.IN_ADVANCE


def test_one_more_chain_takes_the_slots_of_one_other_at_most() -> None:
    for number in range(16, 60):
        before, after = Chains(names(number)).of(Tier.STANDARD), Chains(names(number + 1)).of(Tier.STANDARD)
        assert len(before - after) <= 1


def test_a_use_gives_slots_to_its_chain_and_to_no_other_and_its_end_takes_them_back() -> None:
    chains = Chains(names(100))
    used, before = sorted(chains.of(Tier.NONE))[0], chains.of(Tier.STANDARD)
    chains.use(used, SLOT)
    assert chains.of(Tier.STANDARD) == {*before, used}
    chains.use(used)
    assert chains.of(Tier.STANDARD) == before


def test_a_slot_of_the_extended_tier_is_there_only_when_it_is_used() -> None:
    chains = Chains(names(2))
    assert chains.of(Tier.EXTENDED) == set()
    chains.use("https-443-0", before_routing(SLOT, 2))
    assert chains.of(Tier.EXTENDED) == {"https-443-0"}
