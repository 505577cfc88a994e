"""Watches and the controller's own writes in one cache."""

from headgate.api.core import ConfigMap
from headgate.api.meta import Key, ObjectMeta
from headgate.controllers.watch_cache import WatchCache
from headgate.kube.watch import Batch, Change

KEY = Key("n", "c")


def config_map(version: int, uid: str = "1") -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="c", namespace="n", uid=uid, resource_version=str(version)))


def delivered(obj: ConfigMap) -> Batch[ConfigMap]:
    return Batch((Change("set", obj.key, obj),))


DELETED: Batch[ConfigMap] = Batch((Change("delete", KEY),))


def test_an_older_version_that_the_watch_delivers_after_a_write_is_ignored() -> None:
    cache: WatchCache[ConfigMap] = WatchCache()
    assert cache.record_write(config_map(2))
    assert cache.apply(delivered(config_map(1))) == []
    assert cache.get(KEY) == config_map(2)


def test_a_response_that_is_older_than_the_watch_is_ignored() -> None:
    cache: WatchCache[ConfigMap] = WatchCache()
    cache.apply(delivered(config_map(2)))
    assert not cache.record_write(config_map(1))


def test_a_response_after_the_deletion_does_not_restore_the_object() -> None:
    cache: WatchCache[ConfigMap] = WatchCache()
    cache.apply(delivered(config_map(1)))
    assert cache.apply(DELETED) == [(config_map(1), None)]
    assert not cache.record_write(config_map(2))
    assert cache.get(KEY) is None


def test_an_object_with_another_uid_replaces_the_deleted_one() -> None:
    cache: WatchCache[ConfigMap] = WatchCache()
    cache.apply(delivered(config_map(5)))
    assert cache.apply(delivered(config_map(1, uid="2"))) == [(config_map(5), config_map(1, uid="2"))]
    assert list(cache.in_namespace("n")) == [config_map(1, uid="2")]
