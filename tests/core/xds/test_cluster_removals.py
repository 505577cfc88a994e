"""Clusters are removed a grace period after their last use."""

from headgate.xds.cluster_removals import ClusterRemovals


def removals(*names: str) -> ClusterRemovals:
    made = ClusterRemovals(grace=5.0)
    for name in names:
        made.add(name)
    return made


def test_an_unused_cluster_is_due_after_the_grace_period() -> None:
    made = removals("a")
    assert made.due(10.0, lambda _: True) == ()
    assert made.next_due == 15.0
    assert made.due(15.0, lambda _: True) == ("a",)
    assert made.next_due is None


def test_the_grace_period_begins_again_after_a_use() -> None:
    made = removals("a")
    made.due(10.0, lambda _: True)
    assert made.due(12.0, lambda _: False) == ()
    assert made.next_due is None
    made.due(13.0, lambda _: True)
    assert made.due(15.0, lambda _: True) == ()
    assert made.due(18.0, lambda _: True) == ("a",)


def test_a_cluster_stays_due_until_it_is_cancelled() -> None:
    made = removals("a")
    made.due(0.0, lambda _: True)
    assert made.due(5.0, lambda _: True) == made.due(6.0, lambda _: True) == ("a",)
    made.cancel("a")
    assert made.due(7.0, lambda _: True) == ()
    assert not made


def test_the_next_due_time_is_that_of_the_first_cluster() -> None:
    made = removals("a")
    made.due(0.0, lambda _: True)
    made.add("b")
    made.due(1.0, lambda _: True)
    assert made.next_due == 5.0
