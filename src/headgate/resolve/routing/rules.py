"""Resolves the rules of HTTPRoutes and GRPCRoutes: matches, filters, backends, timeouts and session persistence.

All problems of a route are collected. A rule with an invalid filter or without a usable backend answers 500
(`HTTPRouteRule.filters`, `.backendRefs`); its requests never fall through to another rule. The other rules are served.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import msgspec

from headgate import filters
from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem, about
from headgate.conditions import http_route as conditions
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.limits import Limits
from headgate.ir.matching import Match
from headgate.ir.sessions import SessionPersistence
from headgate.policies import session_persistence as session_persistence_of
from headgate.world import World

from ..attachment.routes import AttachedRoutes, RouteSnapshot
from ..references.resolver import References, Resolver
from . import grpc_rules, rule_fields


class ResolvedRules(msgspec.Struct, frozen=True, gc=False):
    """The rules of a route without their weights, the weights by weights key, and the problems."""

    rules: tuple[ir.Rule, ...]
    shares: tuple[tuple[str, ir.Shares], ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of all routes. A change of weights changes `resolved` and one of `shares`; `unweighted` and `problems`
    stay equal, so nothing that depends on those runs.
    """

    resolved: Collection[Ref, ResolvedRules]
    unweighted: Collection[Ref, tuple[ir.Rule, ...]]
    #: Per route of any kind.
    problems: Collection[Ref, tuple[Problem, ...]]
    #: Per Gateway and weights key.
    shares: Collection[tuple[Key, str], ir.Shares]


def declare(
    world: World,
    references: References,
    attached: AttachedRoutes,
    stream_problems: Collection[Ref, tuple[Problem, ...]],
) -> Rules:
    """Resolve the rules of every HTTPRoute and GRPCRoute. `stream_problems` are those of routes of other kinds."""
    engine = world.engine

    def resolved(read: Read, route: Ref, snapshot: RouteSnapshot) -> ResolvedRules | None:
        resolver = Resolver(read, references, route)
        match snapshot.spec:
            case api.HTTPRouteSpec() as spec:
                return _RuleResolver(resolver, route, snapshot.uid, spec).resolved()
            case api.GRPCRouteSpec() as spec:
                return _GRPCRuleResolver(resolver, route, snapshot.uid, spec).resolved()
        return None

    def shares(read: Read, route: Ref, rules: ResolvedRules) -> Iterable[tuple[tuple[Key, str], ir.Shares]]:
        for gateway in read(attached.gateways, route) or ():
            for weights_key, of_rule in rules.shares:
                yield (gateway, weights_key), of_rule

    all_rules = engine.map("rules of routes", attached.snapshots, resolved)
    return Rules(
        resolved=all_rules,
        unweighted=engine.map("rules without weights", all_rules, lambda _read, _key, rules: rules.rules),
        problems=engine.union(
            "problems of rules",
            engine.map("problems of HTTP rules", all_rules, lambda _read, _key, rules: rules.problems),
            stream_problems,
        ),
        shares=engine.flat_map("weights of rules", all_rules, shares),
    )


class _RuleResolver:
    """Resolves the rules of one HTTPRoute."""

    #: The response of a rule that cannot forward.
    unresolved_status: ClassVar[Literal[500, 503]] = 500

    def __init__(self, resolver: Resolver, route: Ref, uid: str, spec: api.HTTPRouteSpec) -> None:
        self._resolver = resolver
        self._route = route
        self._uid = uid
        self._spec = spec
        self._problems: list[Problem] = []
        self._shares: dict[str, ir.Shares] = {}

    def resolved(self) -> ResolvedRules:
        """The rules, with the problems of all of them."""
        rules, by_rule = [], []
        for index, rule in enumerate(self._spec.rules):
            rules.append(self._rule(f"spec.rules[{index}]", index, rule))
            by_rule.append(tuple(self._problems))
            self._problems.clear()
        problems = (*rule_fields.hostnames(self._spec.hostnames), *partially_invalid(by_rule))
        return ResolvedRules(tuple(rules), tuple(self._shares.items()), about(self._route, problems))

    def _rule(self, path: str, index: int, rule: api.HTTPRouteRule) -> ir.Rule:
        matches = tuple(self._valid_matches(path, index))
        prefixes = all(match.path.type == "PathPrefix" for match in rule.matches)
        rule_filters = self._filters(f"{path}.filters", rule.filters, filters.Scope.RULE, prefixes=prefixes)
        limits = self._limits(path, rule)
        session_persistence = self._session_persistence(f"{path}.sessionPersistence", rule)
        invalid = next((problem for problem in self._problems if problem.condition == conditions.ACCEPTED), None)
        targets = tuple(
            self._target(f"{path}.backendRefs[{at}]", ref, session_persistence, prefixes=prefixes)
            for at, ref in enumerate(rule.backend_refs)
        )
        action = self._action(path, rule, rule_filters, targets)
        if invalid is not None:
            rule_filters, action = (), ir.DirectResponse(self.unresolved_status, str(invalid))
        elif isinstance(action, ir.Forward) and action.weights_key:
            # Two rules with equal content have one weights key. The second gets no request: the first decides.
            weights = tuple(ref.weight for ref in rule.backend_refs)
            self._shares.setdefault(action.weights_key, ir.Shares(action.targets, weights))
        return ir.Rule(matches, rule_filters, action, limits, rule.name or "", _backends(rule_filters, action))

    def _valid_matches(self, path: str, index: int) -> Iterable[tuple[int, Match]]:
        for match in self._matches(path, index):
            if isinstance(match, Problem):
                self._problems.append(match)
            else:
                yield match

    def _matches(self, path: str, index: int) -> Iterable[tuple[int, Match] | Problem]:
        return rule_fields.matches(path, self._spec.rules[index])

    def _filters(
        self, path: str, declared: tuple[api.HTTPRouteFilter, ...], scope: filters.Scope, *, prefixes: bool = False
    ) -> tuple[filters.HTTPFilter, ...]:
        parsed: list[filters.HTTPFilter] = []
        for index, filter_ in enumerate(declared):
            try:
                context = filters.ParseContext(f"{path}[{index}]", scope, prefixes, self._resolver.backend)
                parsed.append(filters.parse(filter_, context))
            except Invalid as error:
                self._problems.append(error.problem)
        try:
            filters.check_combination(path, parsed)
        except Invalid as error:
            self._problems.append(error.problem)
        self._problems += [problem for filter_ in parsed for problem in filter_.problems]
        return filters.sorted_by_phase(parsed)

    def _target(
        self, path: str, ref: api.HTTPBackendRef, session_persistence: SessionPersistence | None, *, prefixes: bool
    ) -> ir.Target:
        """One backendRef. The session persistence of the rule takes precedence over that of the backend."""
        before = len(self._problems)
        own_filters = self._filters(f"{path}.filters", ref.filters, filters.Scope.BACKEND, prefixes=prefixes)
        if any(problem.condition == conditions.ACCEPTED for problem in self._problems[before:]):
            return ir.Target(None, unresolved_status=self.unresolved_status)
        try:
            backend = self._resolver.backend(path, ref)
            session_persistence = session_persistence or self._resolver.session_persistence(backend)
            return ir.Target(backend, own_filters, session_persistence=session_persistence)
        except Invalid as error:
            self._problems.append(error.problem)
            return ir.Target(None, unresolved_status=self.unresolved_status)

    def _action(
        self,
        path: str,
        rule: api.HTTPRouteRule,
        rule_filters: tuple[filters.HTTPFilter, ...],
        targets: tuple[ir.Target, ...],
    ) -> ir.Forward | ir.DirectResponse:
        if any(filter_.TERMINAL for filter_ in rule_filters):
            return ir.DirectResponse(500, "a filter responds first")
        if not targets:
            return ir.DirectResponse(self.unresolved_status, f"{path}.backendRefs is empty")
        if sum(ref.weight for ref in rule.backend_refs) == 0:
            return ir.DirectResponse(self.unresolved_status, f"{path}.backendRefs: all weights are 0")
        if all(target.backend is None for target in targets):
            return ir.DirectResponse(self.unresolved_status, f"{path}.backendRefs: none resolves to a backend")
        if len(targets) == 1:
            return ir.Forward(targets)
        return ir.Forward(targets, f"{self._uid or str(self._route.key).replace('/', '_')}.{_content_hash(rule)}")

    def _session_persistence(self, path: str, rule: api.HTTPRouteRule) -> SessionPersistence | None:
        try:
            return session_persistence_of.read(path, rule.session_persistence) if rule.session_persistence else None
        except Invalid as error:
            self._problems.append(error.problem)
            return None

    def _limits(self, path: str, rule: api.HTTPRouteRule) -> Limits:
        try:
            return rule_fields.limits(path, rule)
        except Invalid as error:
            self._problems.append(error.problem)
            return Limits()


class _GRPCRuleResolver(_RuleResolver):
    """Resolves the rules of one GRPCRoute."""

    unresolved_status = 503

    def __init__(self, resolver: Resolver, route: Ref, uid: str, spec: api.GRPCRouteSpec) -> None:
        super().__init__(resolver, route, uid, grpc_rules.as_http(spec))
        self._grpc_spec = spec

    def _matches(self, path: str, index: int) -> Iterable[tuple[int, Match] | Problem]:
        return grpc_rules.matches(path, self._grpc_spec.rules[index])


def partially_invalid(by_rule: Sequence[tuple[Problem, ...]]) -> Iterable[Problem]:
    """The problems of all rules. While at least one rule is valid, the route is accepted without the others: their
    problems belong to the condition PartiallyInvalid instead of Accepted.
    """
    is_invalid = [any(problem.condition == conditions.ACCEPTED for problem in problems) for problems in by_rule]
    for problem in (problem for problems in by_rule for problem in problems):
        if problem.condition == conditions.ACCEPTED and not all(is_invalid):
            yield msgspec.structs.replace(problem, condition=conditions.PARTIALLY_INVALID)
        else:
            yield problem


def _backends(
    rule_filters: tuple[filters.HTTPFilter, ...], action: ir.Forward | ir.DirectResponse
) -> tuple[ir.Backend, ...]:
    """All backends that a rule may send a request to: its targets, and those of the filters of rule and targets."""
    targets = action.targets if isinstance(action, ir.Forward) else ()
    of_targets = [target.backend for target in targets if target.backend is not None]
    all_filters = (*rule_filters, *(filter_ for target in targets for filter_ in target.filters))
    return tuple(sorted({*of_targets, *(backend for filter_ in all_filters for backend in filter_.backends)}))


def _content_hash(rule: api.HTTPRouteRule) -> str:
    """A hash of a rule without its name and weights. Its index is not part of it, so that a rule that is inserted
    before it does not change its weights key.
    """
    unweighted = msgspec.structs.replace(
        rule,
        name=None,
        backend_refs=tuple(msgspec.structs.replace(ref, weight=1) for ref in rule.backend_refs),
    )
    return hashlib.blake2b(msgspec.json.encode(unweighted), digest_size=8).hexdigest()
