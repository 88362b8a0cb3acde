"""A slow link between two network namespaces, as between two machines (Linux, as root).

    with slow_link(rate=125e6, delay=0.001) as ends:
        for name, address in ends:
            subprocess.run(["ip", "netns", "exec", name, ...])

Each namespace has a TUN device, a network card whose packets a program reads and writes. The
program is a thread of this process: it lets a packet wait until the link is free, then for the
bytes of the packet, then for the delay. So no queueing discipline of the kernel is needed:
`tc` can hold a rate, but only kernels with `netem` can delay.
"""

import fcntl
import os
import select
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

ENDS = (("charrnn-0", "10.77.0.1"), ("charrnn-1", "10.77.0.2"))
"""The names of the two namespaces and their addresses."""
LONGEST_PACKET = 65_000
"""Bytes: long packets, as network cards cut them themselves, so that the thread has few."""
ATTACH, TUN_WITHOUT_HEADER = 0x400454CA, 0x0001 | 0x1000  # TUNSETIFF; IFF_TUN | IFF_NO_PI


class Direction:
    """The packets on their way from one device to the other.

    Args:
        source: The device that they come from, as a file descriptor.
        target: The device that they go to.
        rate: Bytes a second.
        delay: Seconds from one end to the other.
    """

    def __init__(self, source: int, target: int, rate: float, delay: float) -> None:
        self.source, self.target, self.rate, self.delay = source, target, rate, delay
        self.free = 0.0
        self.waiting: deque[tuple[float, bytes]] = deque()

    def take(self) -> None:
        """Read a packet, and note when it arrives."""
        packet = os.read(self.source, LONGEST_PACKET + 1)
        self.free = max(self.free, time.perf_counter()) + len(packet) / self.rate
        self.waiting.append((self.free + self.delay, packet))

    def deliver(self) -> None:
        """Write the packets that have arrived."""
        while self.waiting and self.waiting[0][0] <= time.perf_counter():
            os.write(self.target, self.waiting.popleft()[1])


def carry(directions: list[Direction], ended: int) -> None:
    """Carry packets until the other end of a pipe is closed."""
    sources = {each.source: each for each in directions}
    while True:
        due = [each.waiting[0][0] for each in directions if each.waiting]
        wait = max(0.0, min(due) - time.perf_counter()) if due else None
        ready, _, _ = select.select([*sources, ended], [], [], wait)
        if ended in ready:
            return
        for source in ready:
            sources[source].take()
        for each in directions:
            each.deliver()


@contextmanager
def carried(directions: list[Direction]) -> Iterator[None]:
    """A thread that carries packets, from here to the end of the block, however that comes."""
    ended, end = os.pipe()
    thread = threading.Thread(target=carry, args=(directions, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.close(end)
        thread.join()
        os.close(ended)


@contextmanager
def slow_link(rate: float, delay: float) -> Iterator[tuple[tuple[str, str], ...]]:
    """Two namespaces, each a name and an address, with a link of bytes a second and a delay."""
    devices: list[int] = []
    try:
        devices.extend(device(name, address) for name, address in ENDS)
        one, other = devices
        with carried([Direction(one, other, rate, delay), Direction(other, one, rate, delay)]):
            yield ENDS
    finally:
        for name, _ in ENDS:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        for each in devices:
            os.close(each)


def device(namespace: str, address: str) -> int:
    """Make a namespace with a device of this address, and open the device."""
    opened = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(opened, ATTACH, struct.pack("16sH22x", namespace.encode(), TUN_WITHOUT_HEADER))
    for line in (
        f"netns add {namespace}",
        f"link set {namespace} mtu {LONGEST_PACKET} netns {namespace}",
        f"-n {namespace} address add {address}/24 dev {namespace}",
        f"-n {namespace} link set lo up",
        f"-n {namespace} link set {namespace} up",
    ):
        subprocess.run(["ip", *line.split()], check=True)
    return opened
