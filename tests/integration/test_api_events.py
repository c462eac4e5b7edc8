"""The log over HTTP: pages, and the live stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from service.api import feed, streams
from tests.api_server import KEY, Api, running


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with running(database) as api:
        yield api


async def test_the_log_is_read_page_by_page(api: Api) -> None:
    for _ in range(5):
        await api.enqueue()
    first = await api.call("GET", "/events?limit=2")
    positions = [event["position"] for event in first.json["items"]]
    assert first.json["next"] == first.json["cursor"]
    while first.json["next"]:
        first = await api.call("GET", "/events", params={"limit": "2", "after": first.json["next"]})
        positions += [event["position"] for event in first.json["items"]]
    assert positions == sorted(positions) and positions[-1] == await api.head()
    await api.enqueue()
    later = await api.call("GET", "/events", params={"after": first.json["cursor"]})
    assert [event["position"] for event in later.json["items"]] == [await api.head()]


async def test_the_log_is_filtered_by_type_and_stream(api: Api) -> None:
    task_id = await api.enqueue()
    await api.enqueue()
    await api.call("POST", "/queues/default/pause")
    for query, types in [
        ("type=task.enqueued", ["task.enqueued"] * 2),
        ("type=queue.*&type=task.started", ["queue.paused"]),
        ("type=task_enqueued", []),
        (f"stream=task/{task_id}", ["task.enqueued"]),
        (f"stream=task/{task_id}&type=queue.*", []),
        ("stream=queue", ["queue.paused"]),
        ("stream=nothing", []),
    ]:
        found = await api.call("GET", f"/events?{query}")
        assert [event["type"] for event in found.json["items"]] == types, query


async def test_an_event_is_not_shown_before_it_is_settled(api: Api) -> None:
    first = await api.enqueue()
    async with api.db.transaction():
        await api.sql("SELECT enqueue_task('noop')")
        after = await api.enqueue()
        shown = await api.call("GET", "/events?stream=task")
        told = [event["stream_id"] for event in shown.json["items"]]
        assert told == [first], "an older event may still commit before it"
    shown = await api.call("GET", "/events?stream=task")
    assert [event["stream_id"] for event in shown.json["items"]][2:] == [after]


@asynccontextmanager
async def listening(
    api: Api, query: str = "", last: str | None = None
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The messages of a stream as they come: id, event, and data as JSON."""
    headers = KEY | ({"Last-Event-ID": last} if last else {})
    async with api.http.get(f"{api.url}/api/v1/events/stream{query}", headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "text/event-stream"
        await response.content.readuntil(b"\n\n")  # "retry:" says that the stream has its place

        async def messages() -> AsyncIterator[dict[str, Any]]:
            while True:
                chunk = (await response.content.readuntil(b"\n\n")).decode()
                fields = dict(line.split(": ", 1) for line in chunk.split("\n") if line[:1] not in ("", ":"))
                if "data" in fields:
                    yield fields | {"data": json.loads(fields["data"])}

        yield messages()


async def take(messages: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        return [await anext(messages) for _ in range(count)]


async def test_a_stream_tells_what_happens_from_now_on(api: Api) -> None:
    await api.enqueue()
    async with listening(api) as messages:
        task_id = await api.enqueue()
        (message,) = await take(messages, 1)
    assert message["data"]["stream_id"] == task_id
    page = await api.call("GET", "/events?after=0&limit=1000")
    assert message["data"] == page.json["items"][-1]
    assert message["id"] == page.json["cursor"]


async def test_a_stream_goes_on_where_it_was(api: Api) -> None:
    ids = [await api.enqueue() for _ in range(10)]
    async with listening(api, "?after=0&stream=task") as messages:
        told = await take(messages, 4)
    async with listening(api, "?stream=task", last=told[-1]["id"]) as messages:
        told += await take(messages, 6)
        ids.append(await api.enqueue())
        told += await take(messages, 1)
    assert [message["data"]["stream_id"] for message in told] == ids


async def test_a_stream_tells_only_what_is_wanted(api: Api) -> None:
    async with listening(api, "?type=queue.*") as messages:
        await api.enqueue()
        await api.call("POST", "/queues/default/pause")
        (message,) = await take(messages, 1)
    assert message["data"]["type"] == "queue.paused"


@pytest.mark.parametrize("last", ["00000000-0000-4000-8000-000000000000:1", "999999"])
async def test_a_cursor_of_another_log_is_reset(api: Api, last: str) -> None:
    async with listening(api, last=last) as messages:
        (reset,) = await take(messages, 1)
        assert reset["event"] == "reset" and reset["data"]["position"] == await api.head()
        task_id = await api.enqueue()
        (message,) = await take(messages, 1)
    assert message["data"]["stream_id"] == task_id


async def test_an_epoch_that_is_renewed_under_way_is_told_and_ends(api: Api) -> None:
    """Nothing broke, so only a newcomer sees it; who was there already hears of it too."""
    async with listening(api) as old:
        await api.enqueue()
        await take(old, 1)
        await api.sql("UPDATE log_epoch SET epoch = gen_random_uuid()")
        async with listening(api) as new:
            task_id = await api.enqueue()
            (message,) = await take(new, 1)
            assert message["data"].get("stream_id") == task_id, "the newcomer knew this epoch already"
        assert (await take(old, 1))[0]["event"] == "reset"


async def test_a_cursor_behind_rolled_back_positions_is_no_other_log(api: Api) -> None:
    with pytest.raises(ZeroDivisionError):
        async with api.db.transaction():
            await api.sql("SELECT enqueue_task('noop')")
            raise ZeroDivisionError
    cursor = (await api.call("GET", "/events")).json["cursor"]
    assert int(cursor.split(":")[1]) > await api.head()
    assert (await api.call("GET", "/events", params={"after": cursor})).status == 200


async def test_many_streams_under_load_miss_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    # A small memory, so that clients fall out of it and read the log themselves.
    monkeypatch.setattr(feed, "MOST_BYTES", 20_000)
    monkeypatch.setattr(feed, "BATCH", 20)

    async def follow(start: int) -> list[int]:
        async with listening(api, f"?after={start}&stream=task") as messages:
            return [message["data"]["position"] for message in await take(messages, 300)]

    followers = [asyncio.create_task(follow(0)) for _ in range(8)]
    for _ in range(10):
        await asyncio.gather(*(api.enqueue() for _ in range(30)))
    told = await asyncio.gather(*followers)
    positions = [
        row[0]
        for row in await api.db.fetch(
            "SELECT position FROM events WHERE stream_type = 'task' ORDER BY position"
        )
    ]
    assert all(each == positions for each in told)


async def test_a_heartbeat_moves_the_cursor_past_what_was_not_wanted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.05)
    await api.enqueue()
    async with api.http.get(f"{api.url}/api/v1/events/stream?type=nothing&after=0", headers=KEY) as response:
        await response.content.readuntil(b"\n\n")
        beat = (await response.content.readuntil(b"\n\n")).decode()
    assert beat.startswith(": alive\nid: ") and beat.strip().endswith(f":{await api.head()}")


async def test_streams_end_when_the_service_stops(database: str) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(10):
        async with running(database) as api:
            response = await http.get(f"{api.url}/api/v1/events/stream", headers=KEY)
            await response.content.readuntil(b"\n\n")
        assert await response.content.read() == b"", "the service waited for the stream, or cut it"


async def test_a_client_that_takes_nothing_is_cut(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "service.api.streams")
    monkeypatch.setattr(streams, "STUCK_SECONDS", 0.1)
    big = {"tasks": [{"task_type": "noop", "params": {"x": "x" * 20_000}}] * 40}
    port = int(api.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /api/v1/events/stream?after=0 HTTP/1.1\r\nHost: x\r\nX-API-Key: test-key\r\n\r\n")
    async with asyncio.timeout(10):
        while "takes nothing" not in caplog.text:
            await api.call("POST", "/tasks/bulk", big)
        got = await reader.read()
    writer.close()
    assert got.startswith(b"HTTP/1.1 200") and not got.endswith(b"0\r\n\r\n"), "the stream ended in order"
