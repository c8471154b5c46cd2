#!/usr/bin/env python3
"""The network between campuses: one TUN device in each network namespace, packets carried between
them by this process with delay, jitter, loss, duplicates and cuts, each direction by itself.

Arguments: seed, then namespace=third-octet pairs ("campus1=1"). A packet to 10.98.N.x goes to the
namespace whose octet is N. Prints "up" when the devices are there. Reads one JSON object a line
from standard input: {"from":1,"to":2,"delayMs":20,"jitterMs":5,"loss":0.01,"duplicate":0,"cut":false};
the last one for a direction counts. Ends when standard input ends, and the devices with it.
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
PACKETS_AT_ONCE = 64
PACKET_BYTES_MAX = 65536
DESTINATION = 16
QUEUE_MAX = 50_000

libc = ctypes.CDLL(None, use_errno=True)


def open_device(namespace):
    """Opens wan0 inside the namespace; the descriptor stays with this process."""
    there = os.open("/run/netns/" + namespace, os.O_RDONLY)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    if libc.setns(there, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns " + namespace)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"wan0", IFF_TUN_NO_PI))
    if libc.setns(here, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns back")
    os.close(there)
    os.close(here)
    return device


class Relay:
    def __init__(self, seed, campuses):
        self.random = random.Random(seed)
        self.devices = {octet: open_device(name) for name, octet in campuses}
        self.octets = {device: octet for octet, device in self.devices.items()}
        self.links = {}
        self.queue = []
        self.count = 0
        self.control = b""

    def take_control(self):
        """False when standard input has ended."""
        data = os.read(0, PACKET_BYTES_MAX)
        if not data:
            return False
        *lines, self.control = (self.control + data).split(b"\n")
        for line in lines:
            link = json.loads(line)
            self.links[(link["from"], link["to"])] = link
        return True

    def take_packets(self, device):
        source = self.octets[device]
        for _ in range(PACKETS_AT_ONCE):
            try:
                packet = os.read(device, PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            if len(packet) < 20 or packet[0] >> 4 != 4 or packet[DESTINATION + 1] != 98:
                continue
            target = packet[DESTINATION + 2]
            if target in self.devices:
                self.carry(packet, source, target)

    def carry(self, packet, source, target):
        link = self.links.get((source, target), {})
        if link.get("cut") or self.random.random() < link.get("loss", 0):
            return
        copies = 2 if self.random.random() < link.get("duplicate", 0) else 1
        jitter = link.get("jitterMs", 0)
        for _ in range(copies):
            if len(self.queue) >= QUEUE_MAX:
                return
            wait = link.get("delayMs", 0) + self.random.uniform(-jitter, jitter)
            self.count += 1
            due = time.monotonic() + max(0, wait) / 1000
            heapq.heappush(self.queue, (due, self.count, self.devices[target], packet))

    def deliver(self):
        while self.queue and self.queue[0][0] <= time.monotonic():
            _, _, device, packet = heapq.heappop(self.queue)
            try:
                os.write(device, packet)
            except OSError:
                # A device that is down or full loses packets, as a wire does.
                continue

    def run(self):
        while True:
            wait = max(0, self.queue[0][0] - time.monotonic()) if self.queue else 1
            for ready in select.select([0, *self.octets], [], [], wait)[0]:
                if ready != 0:
                    self.take_packets(ready)
                elif not self.take_control():
                    return
            self.deliver()


def main():
    pairs = [argument.split("=") for argument in sys.argv[2:]]
    relay = Relay(int(sys.argv[1]), [(name, int(octet)) for name, octet in pairs])
    print("up", flush=True)
    relay.run()


main()
