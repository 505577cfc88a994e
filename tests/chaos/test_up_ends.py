"""The end of `headgate up` with a shop in it, under traffic: no process is left, however it ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.cluster import orphans as cluster_orphans
from headgate.host import process_records
from headgate.node import orphans as node_orphans
from support.local_cluster import LocalCluster
from support.observer import Observer
from support.shop import Shop, analysis
from support.waiting import until


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path) as cluster:
        yield cluster


def opened(cluster: LocalCluster) -> Shop:
    shop = Shop(cluster.kubectl(), "shop", analysis())
    shop.open()
    until(shop.answers, what="the shop answers")
    return shop


def alive(cluster: LocalCluster) -> set[int]:
    """All processes that the cluster or its node started, by the marks in their environments."""
    node_id = (cluster.data / "node" / "node-id").read_text().strip()
    commands = process_records.marked(cluster_orphans.MARK, str(cluster.data))
    pods = process_records.marked(node_orphans.MARK, node_id)
    return {record.pid for record in (*commands, *pods)}


def test_ctrl_c_ends_every_command_envoy_and_pod(cluster: LocalCluster) -> None:
    with Observer(opened(cluster)):
        before = alive(cluster)
        cluster.up.send(signal.SIGINT)
        code = cluster.up.wait(60)
    assert len(before) >= 4 + 1 + 2  # commands, Envoy, the primary's pods
    assert (code, alive(cluster)) == (0, set())


def test_killed_it_leaves_the_shop_serving_and_the_next_one_ends_that_and_serves_it_anew(
    cluster: LocalCluster,
) -> None:
    shop = opened(cluster)
    with Observer(shop) as seen:
        before = alive(cluster)
        os.kill(cluster.up.pid, signal.SIGKILL)
        cluster.up.wait()
        served = len(seen.answers)
        until(lambda: len(seen.answers) >= served + 300, what="traffic without `headgate up`")
    assert seen.failed() == {}
    cluster.up.log.rename(cluster.folder / "first.log")
    cluster.start()
    until(shop.answers, what="the shop answers again", deadline=60)
    assert before & alive(cluster) == set()
    assert shop.phase() == "Initialized"
