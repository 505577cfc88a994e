import asyncio
from collections import Counter

from headgate.controllers.work_queue import WorkQueue


async def test_a_key_added_many_times_before_it_is_reached_is_worked_on_once() -> None:
    done: Counter[str] = Counter()

    async def work(key: str) -> None:
        done[key] += 1

    queue = WorkQueue("test", work, workers=2)
    for _ in range(5):
        queue.add("a")
    task = asyncio.create_task(queue.run())
    await queue.settled()
    assert done == {"a": 1}
    task.cancel()


async def test_a_key_added_while_it_is_worked_on_is_worked_on_again_afterwards() -> None:
    started, go, runs = asyncio.Event(), asyncio.Event(), []

    async def work(key: str) -> None:
        runs.append(key)
        started.set()
        await go.wait()

    queue = WorkQueue("test", work, workers=4)
    task = asyncio.create_task(queue.run())
    queue.add("a")
    await started.wait()
    queue.add("a")
    assert runs == ["a"]
    go.set()
    await queue.settled()
    assert runs == ["a", "a"]
    task.cancel()


async def test_a_key_that_fails_is_tried_again_and_the_others_go_on() -> None:
    tries: Counter[str] = Counter()
    recovered = asyncio.Event()

    async def work(key: str) -> None:
        tries[key] += 1
        if key == "bad" and tries[key] < 3:
            raise RuntimeError("not yet")
        if key == "bad":
            recovered.set()

    queue = WorkQueue("test", work, workers=1)
    task = asyncio.create_task(queue.run())
    queue.add("bad")
    queue.add("good")
    await recovered.wait()
    await queue.settled()
    assert tries == {"bad": 3, "good": 1}
    task.cancel()


async def test_a_key_is_added_after_the_last_delay_that_was_given() -> None:
    done: list[str] = []
    soon = asyncio.Event()

    async def work(key: str) -> None:
        done.append(key)
        soon.set()

    queue = WorkQueue("test", work, workers=1)
    task = asyncio.create_task(queue.run())
    queue.add_after("a", 0.0)
    queue.add_after("a", 3600.0)
    queue.add_after("b", 3600.0)
    queue.add_after("b", 0.0)
    await soon.wait()
    await queue.settled()
    assert done == ["b"]
    task.cancel()


async def test_work_on_a_key_cancels_its_timer() -> None:
    done: list[str] = []
    last = asyncio.Event()

    async def work(key: str) -> None:
        done.append(key)
        if key == "b":
            last.set()

    queue = WorkQueue("test", work, workers=1)
    task = asyncio.create_task(queue.run())
    queue.add_after("a", 0.0)
    queue.add("a")
    await queue.settled()
    queue.add_after("b", 0.0)
    await last.wait()
    await queue.settled()
    assert done == ["a", "b"]
    task.cancel()


async def test_work_may_add_its_own_key_after_a_delay() -> None:
    done: list[str] = []
    third = asyncio.Event()

    async def work(key: str) -> None:
        done.append(key)
        if len(done) < 3:
            queue.add_after(key, 0.0)
        else:
            third.set()

    queue = WorkQueue("test", work, workers=1)
    task = asyncio.create_task(queue.run())
    queue.add("a")
    await third.wait()
    await queue.settled()
    assert done == ["a", "a", "a"]
    task.cancel()
