"""Prometheus, for tests of metric templates."""

from __future__ import annotations

from pathlib import Path

from support.addresses import free_port
from support.prometheus import Prometheus
from support.waiting import until


def test_a_target_that_is_scraped_has_the_labels_that_were_asked_for(tmp_path: Path) -> None:
    with (
        Prometheus(tmp_path / "first") as first,
        Prometheus(tmp_path / "second", [first.address], labels={"a": "b"}) as second,
    ):
        series = until(lambda: second.query('up{a="b"} == 1'), what="a scrape")
    assert series[0]["metric"]["instance"] == first.address


def test_a_target_that_is_not_there_is_down(tmp_path: Path) -> None:
    with Prometheus(tmp_path, [f"127.0.0.1:{free_port()}"]) as prometheus:
        assert until(lambda: prometheus.query("up == 0"), what="a failed scrape")
