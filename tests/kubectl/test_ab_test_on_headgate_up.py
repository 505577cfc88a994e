"""A/B tests on `headgate up`: kubectl, real Envoy, and every request of insiders and outsiders counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.local_cluster import LocalCluster

pytest.register_assert_rewrite("support.ab_test_scenarios")

from support.ab_test_scenarios import ABTestScenario, Promoted, RolledBack  # noqa: E402 - its assertions are those of these tests


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("up")) as cluster:
        yield cluster


class TestGoodVersion(Promoted):
    """Insiders get the canary; then all requests get the new version."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, cluster: LocalCluster) -> Iterator[ABTestScenario]:
        yield from release(cluster, "ab-good", "1.1.0")


class TestBadVersion(RolledBack):
    """Only insiders see its errors."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, cluster: LocalCluster) -> Iterator[ABTestScenario]:
        yield from release(cluster, "ab-bad", "1.2.0", ERROR_RATE="1.0")


def release(cluster: LocalCluster, namespace: str, version: str, **environment: str) -> Iterator[ABTestScenario]:
    scenario = ABTestScenario(cluster.kubectl(), namespace)
    try:
        scenario.run(version, **environment)
    except BaseException:
        print(cluster.logs())
        raise
    yield scenario
    scenario.shop.close()
