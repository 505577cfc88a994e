"""What the official suite says, read."""

from __future__ import annotations

from conformance.verdicts import Counts, Reader, begun, counts, of_gateways, table

OUTPUT = """\
=== RUN   TestConformance
=== RUN   TestConformance/HTTPRouteSimple
    suite.go:1: 2026-11-21T10:00:00.1Z: Running HTTPRouteSimple, relying on the following features: Gateway-standard
=== RUN   TestConformance/HTTPRouteBroken
=== RUN   TestConformance/HTTPRouteBroken/first_request
    http.go:7: 2026-11-21T10:00:01.1Z: not yet
    http.go:9:
        \tError Trace:\thttp.go:9
        \tError:      \tnever
        \tTest:       \tTestConformance/HTTPRouteBroken/first_request
        \tMessages:   \tno answer
=== RUN   TestConformance/MeshPorts
    suite.go:2: 2026-11-21T10:00:02.1Z: Skipping MeshPorts: suite does not support Mesh
--- FAIL: TestConformance (3.00s)
    --- PASS: TestConformance/HTTPRouteSimple (0.50s)
    --- FAIL: TestConformance/HTTPRouteBroken (1.50s)
        --- FAIL: TestConformance/HTTPRouteBroken/first_request (1.40s)
    --- SKIP: TestConformance/MeshPorts (0.00s)
"""


def read() -> Reader:
    reader = Reader()
    for line in OUTPUT.splitlines():
        reader.read(line)
    return reader


def test_each_test_has_one_verdict() -> None:
    assert {name: each.result for name, each in read().verdicts.items()} == {
        "HTTPRouteSimple": "pass",
        "HTTPRouteBroken": "fail",
        "MeshPorts": "skip",
    }


def test_the_reason_of_a_failure_is_what_its_part_said() -> None:
    assert read().verdicts["HTTPRouteBroken"].reason == "first request: no answer; never (not yet)"


def test_a_test_that_begins_is_told() -> None:
    assert [name for line in OUTPUT.splitlines() if (name := begun(line))] == ["HTTPRouteSimple"]


def test_tests_of_meshes_are_not_of_gateways() -> None:
    assert counts(of_gateways(read().verdicts.values())) == Counts(passed=1, failed=1, skipped=0)


def test_the_table_ends_with_what_failed_and_the_counts() -> None:
    lines = table(read().verdicts.values()).splitlines()
    assert lines[-1] == "1 passed, 1 failed, 1 skipped"
    assert lines[0].startswith("pass  HTTPRouteSimple")
