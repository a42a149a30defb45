"""Packet buffer of an ingress."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from models.config import SwitchConfig
from rtl.linked_list import LinkedList
from rtl.packet import FlitLayout
from rtl.ring import PopSignature, PushSignature, Ring, RoomSignature, storage_slots

__all__ = ["Buffer", "PopSignature", "PushSignature", "ReleasedSignature", "RoomSignature"]


class ReleasedSignature(wiring.Signature):
    """Room for one flit of ``queue`` is free again."""

    def __init__(self, config: SwitchConfig):
        super().__init__({"valid": Out(1), "queue": Out(range(config.queues))})


class Buffer(wiring.Component):
    """Hold the flits of all queues of an ingress in one memory.

    Latency: a flit pushed in a cycle is stored in the next one and can be popped in the one after
    that; it is on ``o`` two cycles after its pop. Throughput: 1 push and 1 pop per cycle, also if
    all pops are of one queue.
    Each queue is a ring in its own part of the memory if nothing is shared (``limit_flits`` is
    ``reserve_flits``), and else a linked list over its slots.

    Parameters
    ----------
    config : SwitchConfig
        The configuration.

    Members
    -------
    push : In(PushSignature)
        A flit to store. The flits of a packet follow each other, ``length`` in all; the first one
        only if the packet was offered before, ``admit`` is high, and nothing else began since.
    offer : In(RoomSignature)
        The packet that ``admit`` and ``used_high`` are about from the next cycle on.
    admit : Out(1)
        There is room for the packet that was offered last. A register. Low for ``queues``
        cycles and one more after reset.
    used_high : Out(1)
        Its queue used more than ``mark_flits``. A register.
    pop : In(PopSignature)
        Read the head of a queue that holds a flit, or of that which the last flit was stored in:
        nothing happens if that holds none, as the packet is still arriving.
    inject : In(1)
        Fault for tests: bit 0 of the data pushed in this cycle is stored inverted.
    lost : Out(1)
        The queue that is popped holds no flit. Combinational.
    o : Out({valid, flit})
        The flit that was popped two cycles ago; meaningful while ``valid``.
    released : Out(ReleasedSignature)
        Room that this pop gave back, in the same cycle as ``o``.
    occupancy : Out(range(ingress_flits + 1))
        Flits pushed and not popped, or popped in the last cycle (registered).
    """

    BANK = 2048  # flits

    def __init__(self, config: SwitchConfig):
        self.config = config
        super().__init__(
            {
                "push": In(PushSignature(config)),
                "offer": In(RoomSignature(config)),
                "admit": Out(1),
                "used_high": Out(1),
                "pop": In(PopSignature(config)),
                "inject": In(1),
                "lost": Out(1),
                "o": Out(wiring.Signature({"valid": Out(1), "flit": Out(FlitLayout(config))})),
                "released": Out(ReleasedSignature(config)),
                "occupancy": Out(range(config.ingress_flits + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, push, pop = self.config, self.push, self.pop
        kind = Ring if config.limit == config.reserve else LinkedList
        m.submodules.storage = storage = kind(config)
        for name in ("push", "pop", "offer"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(storage, name))
        popping = pop.valid & ~storage.lost
        m.d.comb += [
            self.admit.eq(storage.admit),
            self.used_high.eq(storage.used_high),
            self.lost.eq(storage.lost),
        ]

        # The memory is large and far away: it is written from registers.
        storing, stored = Signal(), Signal(FlitLayout(config), reset_less=True)
        m.d.sync += [storing.eq(push.valid), stored.eq(push.flit)]
        with m.If(self.inject):
            m.d.sync += stored.data[0].eq(~push.flit.data[0])

        popped, popped_queue = Signal(), Signal.like(pop.queue)
        m.d.comb += self.released.valid.eq(self.o.valid)
        m.d.sync += [
            popped.eq(popping),
            popped_queue.eq(pop.queue),
            self.o.valid.eq(popped),
            self.released.queue.eq(popped_queue),
        ]

        # A memory that is deeper than a block RAM is cut into banks, of which the one that was read
        # is chosen at the end: nothing comes between a memory and the register behind it.
        slots = storage_slots(config)
        banks = range(-(-slots // self.BANK))
        place = range((min(slots, self.BANK) - 1).bit_length())
        leaving = []
        for n in banks:
            # A pop does nothing to a flit that is stored in the same cycle, so that the memory need
            # not say what it gives if both are of one slot.
            m.submodules[f"flits_{n}"] = flits = Memory(
                shape=FlitLayout(config),
                depth=min(self.BANK, slots - n * self.BANK),
                init=[],
                attrs={"no_rw_check": 1},
            )
            write, read = flits.write_port(), flits.read_port(domain="comb")
            # Of the memory, and behind it. Without a reset both are registers of the block RAM.
            output, last = (
                Signal(FlitLayout(config), reset_less=True, name=f"{name}_{n}")
                for name in ("output", "leaving")
            )
            m.d.comb += [
                write.addr.eq(storage.write_slot[: len(place)]),
                write.data.eq(stored),
                write.en.eq(storing),
                read.addr.eq(storage.read_slot[: len(place)]),
            ]
            m.d.sync += [output.eq(read.data), last.eq(output)]
            leaving.append(last)
            if len(banks) > 1:
                m.d.comb += write.en.eq(storing & (storage.write_slot[len(place) :] == n))
        if len(banks) == 1:
            m.d.comb += self.o.flit.eq(leaving[0])
        else:
            bank, bank_before = Signal(banks), Signal(banks)
            m.d.sync += [bank_before.eq(storage.read_slot[len(place) :]), bank.eq(bank_before)]
            m.d.comb += self.o.flit.eq(Array(leaving)[bank])
        with m.If(push.valid != popped):
            m.d.sync += self.occupancy.eq(self.occupancy + Mux(popped, -1, 1))
        return m
