"""Volumes as folders."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.api.core import ConfigMap, Pod, Secret, ServiceAccountTokenProjection, Volume
from headgate.api.meta import Key, ObjectMeta
from headgate.node.environment import ConfigSources, MissingReferenceError, PodNetwork
from headgate.node.volumes import Files, files, folder_of, publish

POD = Pod(metadata=ObjectMeta(name="one", namespace="shop", labels={"a": "1"}))
NETWORK = PodNetwork(pod_ip="127.20.0.3", host_ip="127.0.0.1")
SOURCES = ConfigSources(
    config_maps={Key("shop", "c"): ConfigMap(data={"x": "1", "y": "2"}, binary_data={"z": "AAE="})},
    secrets={Key("shop", "s"): Secret(data={"k": base64.b64encode(b"v").decode()})},
    tokens={ServiceAccountTokenProjection(path="token"): "the-token"},
)


def content(**source: Any) -> dict[str, bytes]:
    volume_files = files(msgspec.convert({"name": "v", **source}, Volume), POD, NETWORK, SOURCES)
    assert volume_files is not None
    return dict(volume_files.content)


def refusal(**source: Any) -> str:
    with pytest.raises(MissingReferenceError) as error:
        content(**source)
    return str(error.value)


def test_a_config_map_is_a_file_per_key() -> None:
    assert content(configMap={"name": "c"}) == {"x": b"1", "y": b"2", "z": b"\x00\x01"}


def test_items_choose_keys_and_name_their_files() -> None:
    chosen = content(configMap={"name": "c", "items": [{"key": "x", "path": "deep/file"}]})
    assert chosen == {"deep/file": b"1"}


def test_a_path_out_of_the_volume_is_refused() -> None:
    text = refusal(configMap={"name": "c", "items": [{"key": "x", "path": "../../passwd"}]})
    assert "is outside the volume" in text


def test_a_missing_secret_is_named() -> None:
    assert refusal(secret={"secretName": "none"}) == 'secret "none" not found'


def test_a_missing_optional_secret_is_an_empty_folder() -> None:
    assert content(secret={"secretName": "none", "optional": True}) == {}


def test_a_projected_volume_joins_its_sources() -> None:
    sources = [
        {"secret": {"name": "s"}},
        {"configMap": {"name": "c", "items": [{"key": "x", "path": "x"}]}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"serviceAccountToken": {"path": "token"}},
    ]
    joined = content(projected={"sources": sources})
    assert joined == {"k": b"v", "x": b"1", "labels": b'a="1"', "token": b"the-token"}


def test_a_kind_of_volume_that_is_not_there_is_refused_with_those_that_are() -> None:
    assert "emptyDir" in refusal()


def test_a_host_path_is_itself() -> None:
    volume = msgspec.convert({"name": "v", "hostPath": {"path": "/srv/x"}}, Volume)
    assert folder_of(volume, Path("/data")) == Path("/srv/x")


def test_published_files_can_be_read_by_name(tmp_path: Path) -> None:
    publish(tmp_path / "v", Files({"a": b"1", "deep/b": b"2"}))
    assert ((tmp_path / "v" / "a").read_bytes(), (tmp_path / "v" / "deep" / "b").read_bytes()) == (b"1", b"2")


def test_an_update_replaces_all_files_by_one_move(tmp_path: Path) -> None:
    publish(tmp_path / "v", Files({"a": b"1", "gone": b"x"}))
    before = (tmp_path / "v" / "..data").readlink()
    publish(tmp_path / "v", Files({"a": b"2", "new": b"y"}))
    names = {path.name for path in (tmp_path / "v").iterdir() if not path.name.startswith("..")}
    assert names == {"a", "new"}
    assert (tmp_path / "v" / "a").read_bytes() == b"2"
    assert not (tmp_path / "v" / before).exists()


def test_the_same_files_change_nothing(tmp_path: Path) -> None:
    publish(tmp_path / "v", Files({"a": b"1"}))
    assert publish(tmp_path / "v", Files({"a": b"1"})) is False


def test_files_and_folders_are_for_their_owner(tmp_path: Path) -> None:
    publish(tmp_path / "v", Files({"deep/a": b"1"}))
    real = (tmp_path / "v" / "deep" / "a").resolve()
    assert {oct(path.stat().st_mode & 0o777) for path in (real.parent, tmp_path / "v")} == {"0o700"}
    assert oct(real.stat().st_mode & 0o777) == "0o600"


def test_the_text_of_files_holds_no_content() -> None:
    assert "secret-bytes" not in repr(Files({"a": b"secret-bytes"}))
