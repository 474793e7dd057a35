"""How long a class waits: clients that each move a control every two seconds, and what they see.

Starts the app on the loopback interface, opens 1, 10, 30 and 100 sessions over Streamlit's own
protocol (a websocket with protobuf messages, as the browser's front end speaks it), lets each move
the first slider of a lesson, and prints, as JSON, the time from sending the move to the end of the
script run it causes, by which every new figure has arrived. Beside it stand the milliseconds of
CPU that a move costs the server (workers not counted) and these clients, which share its cores.

    python benchmarks/clients.py [--page NAME] [--clients 1 10 30 100] [--seconds 20]

Target on two cores: p95 at most 60 ms with 30 clients, 120 ms with 100.
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
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import serving

THINK_SECONDS = 2.0
TARGETS_MS = {30: 60.0, 100: 120.0}


class Client:
    """One session: it keeps the sliders that its page shows, and what its components were sent."""

    def __init__(self, socket, page: str, query: str = "") -> None:
        self.socket = socket
        self.page = page
        self.query = query
        self.components = {}  # JSON by name
        self.sliders = {}
        self.fragments = {}  # of each slider, as its delta names it; empty outside of one

    async def run(self, slider=None, value=None) -> float:
        """Ask for a script run, wait for its end, and return the milliseconds it took."""
        message = BackMsg()
        message.rerun_script.page_name = self.page
        message.rerun_script.query_string = self.query
        if slider is not None:
            # As the front end does: a control in a fragment reruns that fragment alone.
            message.rerun_script.fragment_id = self.fragments[slider.id]
            state = message.rerun_script.widget_states.widgets.add()
            state.id = slider.id
            if slider.options:  # a slider over named stops answers with a stop's name
                state.string_array_value.data.append(slider.options[round(value)])
            else:
                state.double_array_value.data.append(value)
        begin = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await self.socket.recv())
            kind = answer.WhichOneof("type")
            if kind == "delta" and answer.delta.new_element.WhichOneof("type") == "exception":
                raise SystemExit(f"the page failed: {answer.delta.new_element.exception.message}")
            if kind == "delta" and answer.delta.new_element.WhichOneof("type") == "bidi_component":
                sent = answer.delta.new_element.bidi_component
                self.components[sent.component_name] = sent.json
            if kind == "delta" and answer.delta.new_element.WhichOneof("type") == "slider":
                shown = answer.delta.new_element.slider
                self.sliders[shown.id] = shown
                self.fragments[shown.id] = answer.delta.fragment_id
            if kind == "script_finished":
                return 1000 * (time.perf_counter() - begin)


def cpu_seconds(process: psutil.Process) -> np.ndarray:
    """CPU time that the server's process and this one have used so far."""
    times = process.cpu_times()
    return np.array([times.user + times.system, time.process_time()])


async def visit(address: str, page: str, seconds: float, all_here, seed: int) -> list:
    """Open a session, wait for the others, then move the first slider until time is up."""
    draws = random.Random(seed)
    async with connect(address, subprotocols=["streamlit"], max_size=None) as socket:
        client = Client(socket, page)
        await client.run()
        if not client.sliders:
            raise SystemExit(f"page {page!r} has no slider to move")
        slider = next(iter(client.sliders.values()))
        await all_here()
        times = []
        deadline = time.perf_counter() + seconds
        await asyncio.sleep(draws.uniform(0, THINK_SECONDS))
        while time.perf_counter() < deadline:
            stops = round((slider.max - slider.min) / slider.step)
            value = slider.min + draws.randint(0, stops) * slider.step
            times.append(await client.run(slider, value))
            await asyncio.sleep(draws.uniform(0.5, 1.5) * THINK_SECONDS)
        return times


async def measure(
    address: str, process: psutil.Process, page: str, n_clients: int, seconds: float
) -> dict:
    """Run ``n_clients`` sessions side by side and summarize what they waited."""
    barrier = asyncio.Barrier(n_clients)
    before = np.zeros(2)

    async def all_here() -> None:
        if await barrier.wait() == 0:
            before[:] = cpu_seconds(process)

    visits = [
        asyncio.create_task(visit(address, page, seconds, all_here, seed))
        for seed in range(n_clients)
    ]
    waits = np.array([wait for times in await asyncio.gather(*visits) for wait in times])
    server_ms, clients_ms = 1000 * (cpu_seconds(process) - before) / len(waits)
    p50, p95 = np.percentile(waits, [50, 95])
    target = TARGETS_MS.get(n_clients)
    return {
        "clients": n_clients,
        "moves": len(waits),
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "target_p95_ms": target,
        "met": None if target is None else bool(p95 <= target),
        "server_cpu_ms_per_move": round(server_ms, 1),
        "clients_cpu_ms_per_move": round(clients_ms, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", default="elbo_to_iwae")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 10, 30, 100])
    parser.add_argument("--seconds", type=float, default=20.0, help="per number of clients")
    options = parser.parse_args()
    with serving.serve() as server:
        server.wait_until_warm()
        address = server.url.replace("http", "ws") + "/_stcore/stream"
        process = psutil.Process(server.process.pid)
        results = [
            asyncio.run(measure(address, process, options.page, n_clients, options.seconds))
            for n_clients in options.clients
        ]
    print(json.dumps({"page": options.page, "think_s": THINK_SECONDS, "results": results}))


if __name__ == "__main__":
    main()
