"""Laws of dividing a pool: everybody gets exactly his share, and an address stands in one part only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from headgate.api.meta import Key, Ref
from headgate.ir.routing import Backend, BackendTraffic, Endpoint
from headgate.ir.streams import MAX_TOTAL_WEIGHT, WeightedBackends, WeightedBackendsKey, WeightedLocality, localities
from headgate.ir.tls import SubjectAltName, UpstreamTLS

Served = Mapping[Backend, tuple[Endpoint, ...]]

NAME = WeightedBackendsKey(Ref("TLSRoute", "one", "r"))
POLICIES = [
    UpstreamTLS(name, (SubjectAltName("DNS", name),), (), system_ca_certificates=True)
    for name in ("a.example.com", "b.org")
]
ADDRESSES = [Endpoint(f"192.0.2.{last}", 80) for last in range(6)]
PLAIN = [Backend(Key("one", f"s{at}"), 80, "tcp") for at in range(3)]
SECURED = [
    Backend(Key("one", f"s{at}"), 80, "tcp", BackendTraffic(tls=tls)) for at in range(2) for tls in (None, *POLICIES)
]

endpoints = st.sets(st.sampled_from(ADDRESSES), max_size=4).map(lambda found: tuple(sorted(found)))


def pools(backends: list[Backend], heaviest: int) -> st.SearchStrategy[tuple[WeightedBackends, Served]]:
    """A pool over some of these backends, and who serves them: the same addresses may serve several."""
    targets = st.lists(st.tuples(st.none() | st.sampled_from(backends), st.integers(0, heaviest)), max_size=6)
    served = st.fixed_dictionaries(dict.fromkeys(backends, endpoints))
    return st.tuples(targets, served).map(lambda found: (pool(found[0]), found[1]))


def pool(targets: list[tuple[Backend | None, int]]) -> WeightedBackends:
    return WeightedBackends(NAME, tuple(target for target, _ in targets), tuple(weight for _, weight in targets))


def wanted(given: WeightedBackends, served: Served) -> dict[Endpoint | None, Fraction]:
    """What every address should get; None is what is closed."""
    found: Counter[Endpoint | None] = Counter()
    for target, weight in zip(given.backends, given.weights, strict=True):
        everybody = served[target] if target else ()
        for each in everybody or (None,):
            found[each] += Fraction(weight, len(everybody) or 1)  # type: ignore[assignment]
    return shares(found)


def got(found: tuple[WeightedLocality, ...]) -> dict[Endpoint | None, Fraction]:
    every: Counter[Endpoint | None] = Counter()
    for part in found:
        for each in part.endpoints or (None,):
            every[each] += Fraction(part.weight, len(part.endpoints) or 1)  # type: ignore[assignment]
    return shares(every)


def shares(found: Mapping[Endpoint | None, int]) -> dict[Endpoint | None, Fraction]:
    total = sum(found.values())
    return {each: Fraction(share) / total for each, share in found.items() if share}


@given(pools(PLAIN, 100))
def test_every_address_gets_exactly_the_shares_of_its_backends(drawn: tuple[WeightedBackends, Served]) -> None:
    assert got(localities(*drawn)) == wanted(*drawn)


@given(pools(PLAIN, 1_000_000))
def test_weights_fit_into_what_envoy_adds_up(drawn: tuple[WeightedBackends, Served]) -> None:
    found = localities(*drawn)
    assert all(part.weight >= 1 for part in found)
    assert sum(part.weight for part in found) <= MAX_TOTAL_WEIGHT
    expected = wanted(*drawn)
    assert all(abs(share - expected[each]) < Fraction(1, 10_000) for each, share in got(found).items())


@given(pools(SECURED, 100))
def test_no_address_stands_twice_and_none_is_spoken_to_in_another_way_than_asked_for(
    drawn: tuple[WeightedBackends, Served],
) -> None:
    given_pool, served = drawn
    found = localities(*drawn)
    addresses = [each for part in found for each in part.endpoints]
    assert len(addresses) == len(set(addresses))
    for part in found:
        for each in part.endpoints:
            asked = {target.traffic.tls for target in given_pool.backends if target and each in served[target]}
            assert part.backend is not None
            assert part.backend.traffic.tls in asked


@given(pools(SECURED, 100))
def test_what_is_not_sent_is_closed_and_given_to_nobody_else(drawn: tuple[WeightedBackends, Served]) -> None:
    expected = wanted(*drawn)
    for each, share in got(localities(*drawn)).items():
        if each is not None:
            assert share <= expected[each]
