"""How ``vanhove serve`` stands up to many clients: latency, errors, memory.

Usage:
    python benchmarks/server.py            # one minute, writes results/speed/server.json
    python benchmarks/server.py --seconds 10 -o try.json

Each client asks, waits for the answer and asks again: most of them one example structure with the
shipped phonon model, some with all shipped models, some a broken structure, which must be refused
with 422. A second, shorter part gives the server a queue that is shorter than the number of
clients: what does not fit must be answered 429 and nothing else. Latency is that of answered
predictions, from the first byte sent to the last received, the wait in the queue included. Memory
is that of all processes of the server, pages that they share counted once (PSS). Linux only; all
traffic stays on the loopback address.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from clock import about, machine, say

from screening import family, memory
from vanhove.results import json_text, write_result
from vanhove.weights import shipped_weights

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "results" / "speed" / "server.json"
HOST = "127.0.0.1"
SECONDS_PER_SAMPLE = 1.0
KINDS = {"phonon DOS": 0.8, "all shipped models": 0.1, "broken": 0.1}
PHONONS = "dostransformer-phonon"


async def ask(port: int, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body of the answer, on a connection of its own."""
    reader, writer = await asyncio.open_connection(HOST, port)
    method = "GET" if body is None else "POST"
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body or b'')}\r\n\r\n"
    writer.write(head.encode() + (body or b""))
    await writer.drain()
    answer = await reader.read()
    writer.close()
    top, _, content = answer.partition(b"\r\n\r\n")
    return int(top.split(b" ", 2)[1]), content


async def client(
    port: int, bodies: dict[str, list[bytes]], until: float, seed: int, results: list[Any]
) -> None:
    """Ask until then; a result is the kind, the status (0: no answer) and the seconds."""
    choose = random.Random(seed)
    while time.perf_counter() < until:
        (kind,) = choose.choices(list(KINDS), list(KINDS.values()))
        before = time.perf_counter()
        try:
            status, _ = await ask(port, "/api/predict", choose.choice(bodies[kind]))
        except (OSError, IndexError, ValueError):
            status = 0
        results.append((kind, status, time.perf_counter() - before))
        if status == 429:
            await asyncio.sleep(choose.uniform(0.5, 1.5))


async def sample_memory(pid: int, until: float) -> list[tuple[float, float]]:
    started, samples = time.perf_counter(), []
    while time.perf_counter() < until:
        samples.append((time.perf_counter() - started, memory(family(pid))[0]))
        await asyncio.sleep(SECONDS_PER_SAMPLE)
    return samples


def requests_of(catalog: dict[str, Any]) -> dict[str, list[bytes]]:
    """The bodies of each kind of request."""
    examples = [example["text"] for example in catalog["examples"]]
    shipped = [model["name"] for model in catalog["models"] if model["shipped"]]

    def body(text: str, models: list[str]) -> bytes:
        return json.dumps({"text": text, "models": models}).encode()

    return {
        "phonon DOS": [body(text, [PHONONS]) for text in examples],
        "all shipped models": [body(text, shipped) for text in examples],
        "broken": [body(text[: len(text) // 2], [PHONONS]) for text in examples],
    }


async def part(options: argparse.Namespace, seconds: float, queue: int) -> dict[str, Any]:
    """A server of its own, and all clients for so long."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vanhove", "serve", "--port", str(port)]
    command += ["--workers", str(options.workers), "--queue", str(queue)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            await asyncio.sleep(0.2)
            try:
                _, content = await ask(port, "/api/catalog")
                break
            except OSError:
                continue
        bodies = requests_of(json.loads(content))
        for kind in bodies:  # what is made on first use does not count
            for body in bodies[kind]:
                await ask(port, "/api/predict", body)
        say(f"{options.clients} clients, queue {queue}, {seconds:g} s")
        results: list[Any] = []
        until = time.perf_counter() + seconds
        clients = [client(port, bodies, until, seed, results) for seed in range(options.clients)]
        samples, *_ = await asyncio.gather(sample_memory(process.pid, until), *clients)
        status, _ = await ask(port, "/api/catalog")
    finally:
        process.terminate()
        process.wait()
    return summary(results, samples, seconds) | {"queue": queue, "alive_after": status == 200}


def summary(results: list[Any], samples: list[Any], seconds: float) -> dict[str, Any]:
    right = {kind: 422 if kind == "broken" else 200 for kind in KINDS}
    late = {
        kind: sorted(took for k, status, took in results if k == kind and status == right[kind])
        for kind in KINDS
    }
    times, megabytes = np.array(samples).T
    half = times >= times[-1] / 2
    return {
        "seconds": seconds,
        "requests": len(results),
        "statuses": {str(k): n for k, n in sorted(Counter(s for _, s, _ in results).items())},
        "other_errors": sum(status not in (right[kind], 429) for kind, status, _ in results),
        "answered_per_second": round(sum(map(len, late.values())) / seconds, 1),
        "latency_seconds": {
            kind: {
                "n": len(values),
                "median": round(statistics.median(values), 3),
                "p95": round(values[int(0.95 * (len(values) - 1))], 3),
                "largest": round(values[-1], 3),
            }
            for kind, values in late.items()
            if values
        },
        "memory_PSS_MB": {
            "first": round(float(megabytes[0]), 1),
            "last": round(float(megabytes[-1]), 1),
            "largest": round(float(megabytes.max()), 1),
            "slope_of_second_half_MB_per_minute": round(
                float(np.polyfit(times[half], megabytes[half], 1)[0] * 60), 2
            ),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of the first part")
    parser.add_argument("--clients", type=int, default=50, help="at the same time")
    parser.add_argument("--workers", type=int, default=1, help="of the server")
    parser.add_argument("--output", "-o", type=Path, default=OUTPUT, help="JSON to write")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "clients": options.clients,
        "workers": options.workers,
        "machine": machine(),
        **about(shipped_weights(), "example structures, drawn by each client"),
        "default_queue": asyncio.run(part(options, options.seconds, queue=64)),
        "short_queue": asyncio.run(part(options, options.seconds / 4, queue=8)),
    }
    write_result(result, options.output)
    print(json_text(result))


if __name__ == "__main__":
    main()
