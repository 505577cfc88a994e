import pytest

from headgate.kube.backoff import Backoff


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 2.0), (4, 3.0), (10_000, 3.0)])
def test_the_delay_doubles_up_to_the_limit(failures: int, seconds: float) -> None:
    assert Backoff(first=0.5, limit=3.0).delay(failures) == seconds


def test_another_factor_replaces_doubling() -> None:
    assert Backoff(first=1.0, limit=100.0, factor=10.0).delay(3) == 100.0


def test_jitter_shortens_the_delay_by_at_most_its_share() -> None:
    delays = [Backoff(first=1.0, limit=1.0, jitter=0.3).delay(1) for _ in range(100)]
    assert all(0.7 <= delay <= 1.0 for delay in delays)
    assert len(set(delays)) > 1
