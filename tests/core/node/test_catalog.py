"""Which program stands for an image, and how it is started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from headgate.api.core import Pod, Service
from headgate.api.meta import ObjectMeta, OwnerReference
from headgate.node.images import headgate_echo
from headgate.node.images.builtin import builtin
from headgate.node.images.catalog import (
    Catalog,
    CommandImage,
    ImageName,
    Launch,
    LaunchRequest,
    UnknownImageError,
    parse_image,
)
from headgate.node.images.headgate import Headgate


class NoServices:
    """A directory without Services."""

    def selecting(self, pod: Pod) -> Iterable[Service]:
        return ()

    async def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        return [(host, port)]

    async def wait_for_change(self) -> None:
        return None


def launch_request(
    image: str, *, command: tuple[str, ...] = (), args: tuple[str, ...] = (), pod: Pod | None = None
) -> LaunchRequest:
    environment = {"POD_IP": "127.20.0.3", "HEADGATE_IMAGE_TAG": parse_image(image).tag}
    return LaunchRequest(
        pod=pod or Pod(metadata=ObjectMeta(name="one", namespace="shop")),
        container="app",
        image=parse_image(image),
        command=command,
        args=args,
        environment=environment,
        address="127.20.0.3",
        folder=Path("/nowhere"),
    )


def mapped(command: str, *, words: tuple[str, ...] = (), args: tuple[str, ...] = ()) -> Launch:
    request = launch_request("shop:2.0", command=words, args=args)
    return asyncio.run(CommandImage(command, Path("/start")).launch(request, NoServices()))


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("envoy", ImageName("envoy", "latest")),
        ("docker.io/envoyproxy/envoy:v1.40.0", ImageName("docker.io/envoyproxy/envoy", "v1.40.0")),
        ("registry:5000/team/shop", ImageName("registry:5000/team/shop", "latest")),
        ("registry:5000/team/shop:1.0@sha256:abc", ImageName("registry:5000/team/shop", "1.0")),
    ],
)
def test_an_images_name_is_taken_apart(image: str, name: ImageName) -> None:
    assert parse_image(image) == name


@pytest.mark.parametrize("image", ["shop", "shop:1.0", "ghcr.io/acme/shop:2.0", "localhost:5000/shop@sha256:abc"])
def test_an_image_is_found_by_the_last_part_of_its_name(image: str) -> None:
    shop = Headgate()
    assert Catalog({"shop": shop}).find(image) is shop


@pytest.mark.parametrize("image", ["workshop", "shop/envoy", "shopping:1.0"])
def test_a_part_of_a_word_is_no_name(image: str) -> None:
    with pytest.raises(UnknownImageError):
        Catalog({"shop": Headgate()}).find(image)


def test_a_mapping_that_says_more_wins() -> None:
    general, special, tagged = Headgate(), Headgate(), Headgate()
    catalog = Catalog({"shop": general, "acme/shop": special, "shop:2.0": tagged})
    assert catalog.find("ghcr.io/other/shop:1.0") is general
    assert catalog.find("ghcr.io/acme/shop:1.0") is special
    assert catalog.find("ghcr.io/other/shop:2.0") is tagged


def test_an_unknown_image_is_refused_with_the_option_that_maps_it() -> None:
    with pytest.raises(UnknownImageError, match=r"--image nginx=COMMAND"):
        Catalog({"envoy": Headgate()}).find("docker.io/library/nginx:1.29")


def test_a_command_may_be_several_words() -> None:
    assert mapped("python -c 'print(1, 2)'").argv == ("python", "-c", "print(1, 2)")


def test_arguments_of_the_container_are_appended() -> None:
    assert mapped("python app.py", args=("--port", "80")).argv == ("python", "app.py", "--port", "80")


def test_the_first_word_of_the_containers_command_is_the_program_inside_of_the_image() -> None:
    launch = mapped("python app.py", words=("./shop", "--level=info"), args=("x",))
    assert launch.argv == ("python", "app.py", "--level=info", "x")


def test_a_command_may_refer_to_variables() -> None:
    assert mapped("app --listen $(POD_IP):80 --version $(HEADGATE_IMAGE_TAG)").argv[-1] == "2.0"


def test_a_mapped_command_starts_where_the_node_was_started() -> None:
    assert mapped("app").folder == Path("/start")


def test_the_built_in_images_are_those_of_the_package() -> None:
    assert sorted(builtin()) == ["envoy", "headgate", "headgate-echo"]


def test_echo_says_the_name_of_the_deployment_behind_its_pod() -> None:
    owner = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="shop-primary-5d4c", uid="u", controller=True)
    about = ObjectMeta(name="shop-primary-5d4c-abcde", labels={"pod-template-hash": "5d4c"}, owner_references=(owner,))
    assert headgate_echo.owner(launch_request("headgate-echo:1", pod=Pod(metadata=about))) == "shop-primary"


async def test_echo_gets_its_version_from_the_tag() -> None:
    launch = await headgate_echo.HeadgateEcho().launch(launch_request("x/headgate-echo:7.1"), NoServices())
    assert launch.extra["VERSION"] == "7.1"


def test_the_text_of_an_order_holds_no_environment() -> None:
    assert "POD_IP" not in repr(launch_request("shop"))
