"""A class opens *Train* at once: when each has the page, a first picture, and the first steps.

Starts the app on the loopback interface, lets so many sessions open the page within some seconds
over Streamlit's own protocol (as ``clients.py`` does), and lets each poll the route of its run as
the page's picture does. Prints, as JSON, the seconds from the opening to the end of the page's
script, to the first picture, and to the run at rest after its first steps; what the queue tells;
what the server needs meanwhile, then for as many pages at rest, and what is left at the end.

    python benchmarks/class_opens.py [--clients 16 300] [--within 5] [--times 2] [--query ""]

The second time the same class opens it once more, as when all reload: the first runs are left.

Target on two cores, which the clients share: all 300 stand within 30 s, nothing is left behind.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from clients import Client
from websockets.asyncio.client import connect

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import serving

from iwae_core.runtime.wire import unpack

PICTURE = "iwae_lab_train"
TARGET_SECONDS = 30.0
IDLE_SECONDS = 0.35  # as train_feed.js waits between two questions
PLAYING_SECONDS = 0.05
REST_SECONDS = 5.0
GONE_SECONDS = 5.0


class Feed:
    """One page's questions to the route of its run, on one kept connection."""

    def __init__(self, port: int, run_id: str) -> None:
        self.port = port
        self.path = f"/live/{run_id}"
        self.known = dict.fromkeys(("steps", "seen", "held", "deep"), -1) | {"generation": 0}
        self.meta: dict = {}
        self.n_answers = self.n_bytes = 0

    async def watch(self, is_over) -> None:
        """Ask, take in, and ask again, until ``is_over`` says so of the news."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            while True:
                self.take(await self.ask(reader, writer))
                if is_over(self):
                    return
                moving = self.meta["mode"] == "playing"
                await asyncio.sleep(PLAYING_SECONDS if moving else IDLE_SECONDS)
        finally:
            writer.close()

    async def ask(self, reader, writer) -> bytes:
        """One question and its answer."""
        query = self.known | ({"news": self.meta["news"]} if self.meta else {})
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        writer.write(f"GET {self.path}?{asked} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if " 200 " not in head.splitlines()[0]:
            raise SystemExit(f"the route answered {head.splitlines()[0]}")
        length = int(head.split("content-length:")[1].split()[0])
        return await reader.readexactly(length)

    def take(self, body: bytes) -> None:
        """Remember how far the run is known, as the browser does."""
        self.meta, arrays = unpack(body)
        self.n_answers += 1
        self.n_bytes += len(body)
        self.known["generation"] = self.meta["generation"]
        for name, array in (("steps", "steps"), ("held", "held_out"), ("deep", "deep")):
            if len(arrays[array]):
                self.known[name] = int(arrays[array][-1, 0])
        if "glance_steps" in arrays:
            self.known["seen"] = int(arrays["glance_steps"][-1])

    @property
    def has_picture(self) -> bool:
        """Whether the first look has come."""
        return self.known["held"] >= 0

    @property
    def stands(self) -> bool:
        """Whether the first steps are taken, and looked at."""
        at_rest = self.meta["mode"] == "paused" and self.meta["opening_to"] is None
        return at_rest and self.known["held"] == self.meta["step"] > 0


class Reader:
    """One of the class."""

    def __init__(self, address: str, port: int, query: str, delay: float) -> None:
        self.address, self.port, self.query, self.delay = address, port, query, delay
        self.seconds: dict[str, float] = {}
        self.places: list[str] = []

    async def open(self, all_stand, all_leave) -> None:
        """Open the page, see it through, stay until all are to leave."""
        await asyncio.sleep(self.delay)
        began = time.perf_counter()

        def note(what: str) -> None:
            self.seconds.setdefault(what, time.perf_counter() - began)

        async with connect(self.address, subprotocols=["streamlit"], max_size=None) as socket:
            client = Client(socket, "train", self.query)
            await client.run()
            note("page")
            self.feed = Feed(self.port, json.loads(client.components[PICTURE])["run_id"])

            def seen(feed: Feed) -> bool:
                if feed.has_picture:
                    note("picture")
                if feed.meta["queue"]:
                    self.places.append(feed.meta["queue"])
                if feed.stands and "stands" not in self.seconds:
                    note("stands")
                    asyncio.get_running_loop().create_task(all_stand())
                return all_leave.is_set()

            await self.feed.watch(seen)


def used(process: psutil.Process) -> dict:
    """What the server's process holds and has used, and how many workers it has."""
    times = process.cpu_times()
    return {
        "cpu": times.user + times.system,
        "mb": process.memory_info().rss / 1e6,
        "threads": process.num_threads(),
        "files": process.num_fds(),
        "processes": len(process.children(recursive=True)),
    }


async def measure(server, n_clients: int, within: float, query: str) -> dict:
    """Let ``n_clients`` open the page, and summarize what they waited and what it cost."""
    port = int(server.url.rsplit(":", 1)[1])
    process = psutil.Process(server.process.pid)
    draws = random.Random(n_clients)
    address = server.url.replace("http", "ws") + "/_stcore/stream"
    readers = [Reader(address, port, query, draws.uniform(0, within)) for _ in range(n_clients)]
    leave, standing, all_here = asyncio.Event(), [], asyncio.Event()

    async def stands() -> None:
        standing.append(1)
        if len(standing) == n_clients:
            all_here.set()

    before = used(process)
    tasks = [asyncio.create_task(reader.open(stands, leave)) for reader in readers]
    here = asyncio.create_task(all_here.wait())
    await asyncio.wait([here, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()  # it failed: say why
    opened = used(process)
    await asyncio.sleep(REST_SECONDS)
    rested = used(process)
    leave.set()
    await asyncio.gather(*tasks)
    await asyncio.sleep(GONE_SECONDS)
    gone = used(process)
    summary = {
        what: dict(
            zip(
                ("p50", "p95", "last"),
                np.percentile([r.seconds[what] for r in readers], [50, 95, 100]).round(2).tolist(),
                strict=True,
            )
        )
        for what in ("page", "picture", "stands")
    }
    waiting = [reader for reader in readers if reader.places]
    return {
        "clients": n_clients,
        "within_s": within,
        "seconds": summary,
        "met": summary["stands"]["last"] <= TARGET_SECONDS,
        "were_told_a_place": len(waiting),
        "told": waiting[len(waiting) // 2].places[0] if waiting else "",
        "server_cpu_s": round(opened["cpu"] - before["cpu"], 1),
        "server_cpu_share_at_rest": round((rested["cpu"] - opened["cpu"]) / REST_SECONDS, 3),
        "answers": sum(reader.feed.n_answers for reader in readers),
        "answers_mb": round(sum(reader.feed.n_bytes for reader in readers) / 1e6, 1),
        "server_mb": [round(each["mb"]) for each in (before, opened, gone)],
        **{
            f"{what}_before_open_gone": [each[what] for each in (before, opened, gone)]
            for what in ("threads", "files", "processes")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[16, 300])
    parser.add_argument("--within", type=float, default=5.0, help="seconds, for all to open it")
    parser.add_argument("--times", type=int, default=2, help="that the class opens it")
    parser.add_argument("--query", default="", help="of the page's address")
    options = parser.parse_args()
    results = []
    for n_clients in options.clients:
        with serving.serve() as server:
            server.wait_until_warm()
            for number in range(options.times):
                found = asyncio.run(measure(server, n_clients, options.within, options.query))
                results.append({"time": number + 1, **found})
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
