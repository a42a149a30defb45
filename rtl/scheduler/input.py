"""One input: what it shows, the grant that it accepts, and its connection."""

from functools import reduce
from operator import and_, or_

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from models.config import SINGLES, SwitchConfig
from rtl.backlog import TakenLayout
from rtl.comparison import exceeds
from rtl.scheduler.pipeline import delayed
from rtl.selection import First, above, encode, lowest, one_more, stepped

__all__ = ["Input"]


class Input(wiring.Component):
    """Show queues to the outputs, accept one of their grants, and give slots to the connection.

    Latency: 0 cycles from ``waits`` to ``show``, 1 cycle from ``grant`` to ``claim`` and to
    ``accept``; ``2 * iterations - 1`` cycles from ``claim`` of stage 0 to ``match``, two fewer for
    each stage on.
    Fairness: among grants of the highest class (``strict``) or of any (``weighted``) the first
    output at or after the pointer; that moves to one past the output that is claimed, by the
    youngest stage if there are several. Three sets of pointers take turns, so that one is moved a
    cycle after it was used and is back in time.

    Members
    -------
    waits : In(queues).array(SINGLES)
    many : In(queues)
        Which queues have flits: :class:`rtl.backlog.Backlog`.
    free : In(ports).array(iterations - 1)
        Outputs whose slot of stage 1, 2, .. is not given away yet.
    taken : In(TakenLayout)
        What the connection has that was claimed in the last cycle.
    complete : In(1)
        The packet that was still arriving has come in.
    lost : In(1)
        A slot of the connection found no flit.
    grant : In(ports).array(iterations, classes)
        Per class: outputs that have granted this input.
    show : Out(ports).array(iterations, classes)
        Per class: outputs whose queue shows.
    claim : Out(queues).array(iterations)
        The queue that was claimed in the last cycle, one-hot, or zero. Registered.
    claim_queue : Out(range(queues)).array(iterations)
        Its number, or zero. Registered.
    connects : Out(1)
        The claim of stage 0 is a connection. Registered.
    accept : Out(ports).array(iterations)
        The output that was claimed in the last cycle, one-hot, or zero. Registered.
    keeps : Out(1)
        In the next cycle the connection takes the slot behind that of stage 0, or may.
    books, holds : Out(1)
        The connection has taken the slot that stage 0 had in the last cycle; it has taken it or
        keeps others from it. Registered.
    match : Out({valid, queue})
        In this cycle the input pops a flit of the queue. Registered.
    """

    def __init__(self, config: SwitchConfig):
        self.config = config
        ports, queues, stages = config.ports, config.queues, config.iterations
        self.queue_layout = data.StructLayout({"valid": 1, "queue": range(queues)})
        super().__init__(
            {
                "waits": In(queues).array(SINGLES),
                "many": In(queues),
                "free": In(ports).array(stages - 1),
                "taken": In(TakenLayout(config)),
                "complete": In(1),
                "lost": In(1),
                "grant": In(ports).array(stages, config.classes),
                "show": Out(ports).array(stages, config.classes),
                "claim": Out(queues).array(stages),
                "claim_queue": Out(range(queues)).array(stages),
                "connects": Out(1),
                "accept": Out(ports).array(stages),
                "keeps": Out(1),
                "books": Out(1),
                "holds": Out(1),
                "match": Out(self.queue_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        ports, classes, stages = self.config.ports, self.config.classes, self.config.iterations

        # Shows: a queue as often as it has flits, each in the first slot that input and output can
        # both give away. What is granted and not answered, or claimed and not counted yet, is no
        # longer there. Who has to be claimed as a whole shows once, and has all slots from there.
        held = [Signal(name=f"held_{k}") for k in range(stages)]  # of the slot that stage k grants
        # A flit that comes behind a connection may not have a slot before it.
        recent, connecting = Signal(2 * stages), Signal()
        m.d.sync += recent.eq(Cat(connecting, recent))
        gives = [Signal(name=f"gives_{k}") for k in range(stages)]
        for k, give in enumerate(gives):
            m.d.comb += give.eq(~(held[k] | recent[: max(0, 2 * k - 2)].any()))
        for c in range(classes):
            waits, many = [wait[c::classes] for wait in self.waits], self.many[c::classes]
            pending = [C(0, ports)] * SINGLES
            for claim in self.claim:
                pending = one_more(m, pending, claim[c::classes])
            for grants in self.grant:
                pending = one_more(m, pending, grants[c])
            taken = pending  # by what is under way, and by the slots before
            for k in reversed(range(stages)):
                shows = Signal(ports, name=f"shows_{k}_{c}")
                left = [wait & ~more for wait, more in zip(waits, taken, strict=True)]
                if k:
                    left[0] = left[0] & ~many
                    taken = one_more(m, taken, gives[k].replicate(ports) & self.free[k - 1])
                elif stages > 1:
                    left.append(many & ~pending[0])
                m.d.comb += shows.eq(reduce(or_, left))
                m.d.comb += self.show[k][c].eq(shows & gives[k].replicate(ports))

        # Accepts.
        pointers = [Signal(ports, name=f"pointer_{j}") for j in range(3)]  # outputs at or after it
        m.d.sync += [pointers[(j + 1) % 3].eq(pointers[j]) for j in range(3)]
        for k in reversed(range(stages)):
            # Per class, one-hot: a queue is of one class only, so its claim is in one of them.
            picks = [Signal(ports, name=f"pick_{k}_{c}") for c in range(classes)]
            choice, of_class = Signal(ports, name=f"choice_{k}"), Signal(classes, name=f"class_{k}")
            several = [self.many[c::classes] for c in range(classes)]
            together = []  # any of these: the queue shows many, known before the queue is
            if self.config.class_policy == "strict" and classes > 1:
                any_of, best = Signal(classes), Signal(classes)  # from the highest class down
                m.d.comb += best.eq(lowest(any_of))
                for c, (pick, grants) in enumerate(zip(picks, self.grant[k], strict=True)):
                    search = First(m, grants, pointers[0])
                    m.d.comb += [
                        any_of[-1 - c].eq(grants.any()),
                        pick.eq(search.place & best[-1 - c].replicate(ports)),
                    ]
                    together.append(search.within(several[c]) & best[-1 - c])
                m.d.comb += [choice.eq(reduce(or_, picks)), of_class.eq(best[::-1])]
            else:
                search = First(m, reduce(or_, self.grant[k]), pointers[0])
                m.d.comb += choice.eq(search.place)
                m.d.comb += [
                    pick.eq(choice & grants)
                    for pick, grants in zip(picks, self.grant[k], strict=True)
                ]
                together.append(search.within(reduce(or_, map(and_, self.grant[k], several))))
                m.d.comb += of_class.eq(Cat(pick.any() for pick in picks))
            # Nothing for stage 0 while the last connection begins.
            refused = self.connects if k == 0 else C(0, 1)
            queue = Signal(self.config.queues, name=f"queue_{k}")
            accept, accept_class = (
                vector & ~refused.replicate(len(vector)) for vector in (choice, of_class)
            )
            m.d.comb += [
                queue[c::classes].eq(pick & ~refused.replicate(ports))
                for c, pick in enumerate(picks)
            ]
            m.d.sync += [
                self.claim[k].eq(queue),
                # Encoded before the register: what it counts and reads is a long way behind it.
                self.claim_queue[k].eq(encode(accept) * classes + encode(accept_class)),
                self.accept[k].eq(accept),
            ]
            if k == 0:
                m.d.comb += connecting.eq(Cat(together).any() & ~refused)
            with m.If(self.accept[k].any()):  # the youngest stage moves the pointer
                m.d.sync += pointers[2].eq(above(self.accept[k]))
        m.d.sync += self.connects.eq(connecting)

        # The connection. What it has taken is known late in the cycle, and looked at in the next,
        # when two of its flits have a slot. Bit n of `level` tells that more than n have none;
        # `ahead` is three more than all of those, as long as it is above six.
        flits, begun = Signal.like(self.taken.flits), Signal()  # of the last cycle
        ahead, opened = Signal.like(flits), Signal()
        level, level_before = Signal(3), Signal(3)
        connected = Signal(range(self.config.queues))
        busy = Signal()  # with a connection that began earlier than in the last cycle
        waiting = level[0]
        m.d.sync += [flits.eq(self.taken.flits), begun.eq(self.connects)]
        more_than = [exceeds(flits, n) for n in range(6)]
        beyond = exceeds(ahead, 6)
        m.d.comb += level.eq(Mux(begun, Cat(more_than[2:5]), level_before))
        # What stage 0 finds in the cycle in which the claim shows is barred, not hidden: that is
        # less to do before the search.
        m.d.comb += [self.keeps.eq(opened | level[2]), held[0].eq(busy)]
        m.d.sync += [
            self.books.eq(self.connects | waiting),
            self.holds.eq(self.connects | waiting | opened),
            opened.eq((opened | (self.connects & self.taken.open)) & ~self.complete),
            busy.eq(self.connects | self.keeps),
        ]
        with m.If(begun):  # nothing is lost: its first slot has not come yet
            m.d.sync += level_before.eq(Cat(more_than[3:]))
        with m.Elif(waiting != self.lost):
            m.d.sync += level_before.eq(stepped(level_before, self.lost, beyond))
        with m.If(begun | (beyond & ~self.lost)):
            # One less, without a chain of carries: a bit turns over if all below it are zero.
            turns = ~Cat(ahead[:n].any() for n in range(len(ahead)))
            m.d.sync += ahead.eq(Mux(begun, flits, ahead ^ turns))

        # Slots on their way to the match: what stage k claimed joins two cycles after its grant.
        slot, taken = Signal(self.queue_layout), self.holds
        m.d.comb += [slot.valid.eq(self.books), slot.queue.eq(connected)]
        for k in range(stages):
            joined = Signal(self.queue_layout, name=f"joined_{k}")
            m.d.comb += joined.eq(slot)
            with m.If(self.accept[k].any()):
                m.d.comb += [joined.valid.eq(1), joined.queue.eq(self.claim_queue[k])]
            if k == 0:
                with m.If(self.connects):
                    m.d.sync += connected.eq(joined.queue)
            if k == stages - 1:
                m.d.sync += self.match.eq(joined)
            else:
                m.d.comb += held[k + 1].eq(taken | self.accept[k].any())
                slot, taken = delayed(m, joined), delayed(m, held[k + 1])
        return m
