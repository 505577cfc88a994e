"""What the rules of a route ask for: matches, filters, targets. All problems are collected, none hides another.

A rule that cannot do what it says answers 500 (`HTTPRouteRule.filters`, `.backendRefs`); it never falls through to
another rule that happens to match as well. The other rules of the route serve on.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import msgspec

from headgate import filters
from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem
from headgate.conditions import http_route as conditions
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.limits import Limits
from headgate.ir.matching import Match
from headgate.ir.sessions import SessionPersistence
from headgate.policies import session_persistence
from headgate.world import World

from ..attachment.routes import AttachedRoutes, RouteSnapshot
from ..references import resolver
from ..references.resolver import References
from . import grpc_rules, rule_fields


class ResolvedRules(msgspec.Struct, frozen=True, gc=False):
    """The rules of a route: their shape, their weights, and what is wrong."""

    rules: tuple[ir.Rule, ...]
    shares: tuple[tuple[str, ir.Shares], ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """A change of weights changes `ruled` and one of `shares`, and leaves `shapes` and `problems` as they are."""

    resolved: Collection[Ref, ResolvedRules]
    unweighted: Collection[Ref, tuple[ir.Rule, ...]]
    problems: Collection[Ref, tuple[Problem, ...]]
    shares: Collection[tuple[Key, str], ir.Shares]


def declare(
    world: World, references: References, attached: AttachedRoutes, of_streams: Collection[Ref, tuple[Problem, ...]]
) -> Rules:
    """Read the rules of every route of requests; the problems are those of all kinds, `of_streams` included."""
    engine = world.engine

    def ruled(read: Read, key: Ref, found: RouteSnapshot) -> ResolvedRules | None:
        match found.spec:
            case api.HTTPRouteSpec() as spec:
                return _Reader(read, references, key, found, spec).ruled()
            case api.GRPCRouteSpec() as spec:
                return _GRPCReader(read, references, key, found, spec).ruled()
        return None

    def shares(read: Read, key: Ref, found: ResolvedRules) -> Iterable[tuple[tuple[Key, str], ir.Shares]]:
        for gateway in read(attached.gateways, key) or ():
            for weights_key, each in found.shares:
                yield (gateway, weights_key), each

    every = engine.map("rules", attached.snapshots, ruled)
    return Rules(
        resolved=every,
        unweighted=engine.map("shapes of rules", every, lambda _read, _key, found: found.rules),
        problems=engine.union(
            "problems of routes",
            engine.map("problems of rules", every, lambda _read, _key, found: found.problems),
            of_streams,
        ),
        shares=engine.flat_map("shares", every, shares),
    )


class _Reader:
    """Reads one HTTPRoute."""

    #: What is answered when a rule leads nowhere.
    nowhere: ClassVar[Literal[500, 503]] = 500

    def __init__(
        self, read: Read, references: References, ref: Ref, route: RouteSnapshot, spec: api.HTTPRouteSpec
    ) -> None:
        self._read = read
        self._references = references
        self._ref = ref
        self._route = route
        self._spec = spec
        self._problems: list[Problem] = []
        self._shares: dict[str, ir.Shares] = {}

    def ruled(self) -> ResolvedRules:
        rules, found = [], []
        for at, rule in enumerate(self._spec.rules):
            rules.append(self._rule(f"spec.rules[{at}]", at, rule))
            found.append(tuple(self._problems))
            self._problems.clear()
        problems = (*rule_fields.hostnames(self._spec.hostnames), *partially_invalid(found))
        return ResolvedRules(tuple(rules), tuple(self._shares.items()), problems)

    def _rule(self, path: str, at: int, rule: api.HTTPRouteRule) -> ir.Rule:
        matches = tuple(self._valid_matches(path, at))
        prefixes = all(each.path.type == "PathPrefix" for each in rule.matches)
        found = self._filters(f"{path}.filters", rule.filters, filters.Scope.RULE, prefixes=prefixes)
        limits = self._limits(path, rule)
        session = self._session(f"{path}.sessionPersistence", rule)
        wrong = [each for each in self._problems if each.condition == conditions.ACCEPTED]
        action = self._action(path, rule, found, session, prefixes=prefixes)
        if wrong:
            found, action = (), ir.DirectResponse(self.nowhere, str(wrong[0]))
        elif isinstance(action, ir.Forward) and action.weights_key:
            # Of two rules with the same content the second is never asked.
            weights = tuple(ref.weight for ref in rule.backend_refs)
            self._shares.setdefault(action.weights_key, ir.Shares(action.targets, weights))
        return ir.Rule(matches, found, action, limits, rule.name or "", _backends(found, action))

    # Matches.

    def _valid_matches(self, path: str, at: int) -> Iterable[tuple[int, Match]]:
        for found in self._matches(path, at):
            if isinstance(found, Problem):
                self._problems.append(found)
            else:
                yield found

    def _matches(self, path: str, at: int) -> Iterable[tuple[int, Match] | Problem]:
        return rule_fields.matches(path, self._spec.rules[at])

    # Filters.

    def _filters(
        self, path: str, wanted: tuple[api.HTTPRouteFilter, ...], scope: filters.Scope, *, prefixes: bool = False
    ) -> tuple[filters.HTTPFilter, ...]:
        found: list[filters.HTTPFilter] = []
        for at, each in enumerate(wanted):
            try:
                where = filters.ParseContext(f"{path}[{at}]", scope, prefixes, self._backend)
                found.append(filters.parse(each, where))
            except Invalid as error:
                self._problems.append(error.problem)
        try:
            filters.check_combination(path, found)
        except Invalid as error:
            self._problems.append(error.problem)
        self._problems += [problem for each in found for problem in each.problems]
        return filters.sorted_by_phase(found)

    # Where to.

    def _backend(self, path: str, ref: api.BackendObjectReference) -> ir.Backend:
        return resolver.backend(self._read, self._references, path, ref, self._ref)

    def _target(
        self, path: str, ref: api.HTTPBackendRef, session: SessionPersistence | None, *, prefixes: bool
    ) -> ir.Target:
        before = len(self._problems)
        own = self._filters(f"{path}.filters", ref.filters, filters.Scope.BACKEND, prefixes=prefixes)
        if any(each.condition == conditions.ACCEPTED for each in self._problems[before:]):
            return ir.Target(None, unresolved_status=self.nowhere)
        try:
            backend = self._backend(path, ref)
            own_session = session or resolver.session_persistence(self._read, self._references, backend)
            return ir.Target(backend, own, session_persistence=own_session)
        except Invalid as error:
            self._problems.append(error.problem)
            return ir.Target(None, unresolved_status=self.nowhere)

    def _action(
        self,
        path: str,
        rule: api.HTTPRouteRule,
        found: tuple[filters.HTTPFilter, ...],
        session: SessionPersistence | None,
        *,
        prefixes: bool,
    ) -> ir.Forward | ir.DirectResponse:
        targets = tuple(
            self._target(f"{path}.backendRefs[{at}]", ref, session, prefixes=prefixes)
            for at, ref in enumerate(rule.backend_refs)
        )
        if any(each.TERMINAL for each in found):
            return ir.DirectResponse(500, "a filter answers before")
        if not targets:
            return ir.DirectResponse(self.nowhere, f"{path}.backendRefs: there are none")
        if sum(ref.weight for ref in rule.backend_refs) == 0:
            return ir.DirectResponse(self.nowhere, f"{path}.backendRefs: all weights are 0")
        if all(target.backend is None for target in targets):
            return ir.DirectResponse(self.nowhere, f"{path}.backendRefs: none leads to a backend")
        if len(targets) == 1:
            return ir.Forward(targets)
        return ir.Forward(targets, f"{self._route.uid or str(self._ref.key).replace('/', '_')}.{_content(rule)}")

    def _session(self, path: str, rule: api.HTTPRouteRule) -> SessionPersistence | None:
        """What the rule itself says: it comes before what its backends say."""
        try:
            return session_persistence.read(path, rule.session_persistence) if rule.session_persistence else None
        except Invalid as error:
            self._problems.append(error.problem)
            return None

    # Time-outs and retries.

    def _limits(self, path: str, rule: api.HTTPRouteRule) -> Limits:
        try:
            return rule_fields.limits(path, rule)
        except Invalid as error:
            self._problems.append(error.problem)
            return Limits()


class _GRPCReader(_Reader):
    """Reads one GRPCRoute."""

    nowhere = 503

    def __init__(
        self, read: Read, references: References, ref: Ref, route: RouteSnapshot, spec: api.GRPCRouteSpec
    ) -> None:
        super().__init__(read, references, ref, route, grpc_rules.as_http(spec))
        self._calls = spec

    def _matches(self, path: str, at: int) -> Iterable[tuple[int, Match] | Problem]:
        return grpc_rules.matches(path, self._calls.rules[at])


def partially_invalid(found: Sequence[tuple[Problem, ...]]) -> Iterable[Problem]:
    """The problems of all rules: while some rule has nothing to be refused for, the route is accepted, without the
    others (`RouteConditionPartiallyInvalid`).
    """
    refused = [any(each.condition == conditions.ACCEPTED for each in problems) for problems in found]
    for problem in (each for problems in found for each in problems):
        if problem.condition == conditions.ACCEPTED and not all(refused):
            yield msgspec.structs.replace(problem, condition=conditions.PARTIALLY_INVALID)
        else:
            yield problem


def _backends(found: tuple[filters.HTTPFilter, ...], action: ir.Forward | ir.DirectResponse) -> tuple[ir.Backend, ...]:
    """All that a rule may send something to: targets, and what filters of rule and targets use."""
    targets = action.targets if isinstance(action, ir.Forward) else ()
    own = [target.backend for target in targets if target.backend is not None]
    every = (*found, *(each for target in targets for each in target.filters))
    return tuple(sorted({*own, *(backend for each in every for backend in each.backends)}))


def _content(rule: api.HTTPRouteRule) -> str:
    """A hash of a rule without its weights. Not of its index: a rule inserted before must not rename it."""
    plain = msgspec.structs.replace(
        rule,
        name=None,
        backend_refs=tuple(msgspec.structs.replace(ref, weight=1) for ref in rule.backend_refs),
    )
    return hashlib.blake2b(msgspec.json.encode(plain), digest_size=8).hexdigest()
