"""Golden model of rtl.serdes.block_lock: the two state diagrams of the standard, state by state.

IEEE 802.3-2018, figures 49-12 (lock) and 49-13 (BER monitor).
"""

from collections import namedtuple
from enum import IntEnum

from models.compiled import compiled, inner
from models.record import allocate
from models.serdes.config import HIGH_BER_HEADERS, LOCK_HEADERS, LOST_HEADERS, LaneConfig

__all__ = [
    "BlockLockInputs",
    "BlockLockModel",
    "BlockLockOutputs",
    "block_lock_clock",
    "block_lock_outputs",
]

BlockLockInputs = namedtuple("BlockLockInputs", "signal_ok valid header slip_done")
BlockLockOutputs = namedtuple("BlockLockOutputs", "block_lock slip hi_ber")
# Variables as the standard calls them; ``lock`` and ``ber`` are the states.
BlockLockState = namedtuple(
    "BlockLockState", "lock sh_cnt sh_invalid_cnt block_lock slip ber ber_cnt timer hi_ber"
)


class Lock(IntEnum):
    """States of the lock diagram."""

    LOCK_INIT = 0
    RESET_CNT = 1
    TEST_SH = 2
    VALID_SH = 3
    INVALID_SH = 4
    GOOD_64 = 5
    SLIP = 6


class Ber(IntEnum):
    """States of the BER monitor diagram."""

    BER_MT_INIT = 0
    START_TIMER = 1
    BER_TEST_SH = 2
    BER_BAD_SH = 3
    HI_BER = 4
    GOOD_BER = 5


# Compiled code takes a member for a number only by itself.
LOCK_INIT, RESET_CNT, TEST_SH, VALID_SH, INVALID_SH, GOOD_64, SLIP = map(int, Lock)
BER_MT_INIT, START_TIMER, BER_TEST_SH, BER_BAD_SH, HI_BER, GOOD_BER = map(int, Ber)


@inner
def enter_lock(state, s, n):
    """What a state of the lock diagram does when it is entered."""
    s.lock[n] = state
    if state == RESET_CNT:
        s.sh_cnt[n] = s.sh_invalid_cnt[n] = 0
    elif state in (VALID_SH, INVALID_SH):
        s.sh_cnt[n] += 1
        s.sh_invalid_cnt[n] += state == INVALID_SH
    elif state == LOCK_INIT:
        s.block_lock[n] = 0
    elif state == GOOD_64:
        s.block_lock[n] = 1
    elif state == SLIP:
        s.block_lock[n], s.slip[n] = 0, 1


@inner
def lock_exit(test_sh, sh_valid, slip_done, s, n):
    """The next state of the lock diagram, or the same: it waits."""
    state, full = s.lock[n], s.sh_cnt[n] == LOCK_HEADERS
    if state == TEST_SH and test_sh:
        return VALID_SH if sh_valid else INVALID_SH
    if state == VALID_SH:
        if not full:
            return TEST_SH
        return RESET_CNT if s.sh_invalid_cnt[n] else GOOD_64
    if state == INVALID_SH:
        if s.sh_invalid_cnt[n] == LOST_HEADERS or not s.block_lock[n]:
            return SLIP
        return RESET_CNT if full else TEST_SH
    if state in (LOCK_INIT, GOOD_64) or (state == SLIP and slip_done):
        return RESET_CNT
    return TEST_SH if state == RESET_CNT else state


@inner
def enter_ber(state, s, n):
    """What a state of the BER monitor diagram does when it is entered."""
    s.ber[n] = state
    if state in (BER_MT_INIT, GOOD_BER):
        s.hi_ber[n] = 0
    elif state == START_TIMER:
        s.ber_cnt[n] = s.timer[n] = 0
    elif state == BER_BAD_SH:
        s.ber_cnt[n] += 1
    elif state == HI_BER:
        s.hi_ber[n] = 1


@inner
def ber_exit(test_sh, sh_valid, timer_done, s, n):
    """The next state of the BER monitor diagram, or the same: it waits."""
    state = s.ber[n]
    if state == BER_TEST_SH:
        if test_sh and not sh_valid:
            return BER_BAD_SH
        return GOOD_BER if timer_done else state
    if state == BER_BAD_SH:
        if s.ber_cnt[n] == HIGH_BER_HEADERS:
            return HI_BER
        return GOOD_BER if timer_done else BER_TEST_SH
    if state == HI_BER:
        return START_TIMER if timer_done else state
    return BER_TEST_SH if state == START_TIMER else START_TIMER


@compiled
def block_lock_outputs(s, outputs, n):
    """What the registers show."""
    outputs.block_lock[n], outputs.slip[n] = s.block_lock[n], s.slip[n]
    outputs.hi_ber[n] = s.hi_ber[n]


@compiled
def block_lock_clock(window, s, inputs, n):
    """The clock edge: each diagram goes on until it waits.

    As in the standard, there is no header to test behind the entry of TEST_SH or BER_TEST_SH.
    """
    header = inputs.header[n]
    sh_valid = header in (1, 2)
    # What is not a header of a boundary that counts, is not tested by either.
    tested = inputs.valid[n] and s.lock[n] != SLIP
    locked = s.block_lock[n]

    s.slip[n] = 0
    test_sh, slip_done = tested, inputs.slip_done[n]
    if not inputs.signal_ok[n]:
        enter_lock(LOCK_INIT, s, n)
    while True:
        state = lock_exit(test_sh, sh_valid, slip_done, s, n)
        if state == s.lock[n]:
            break
        test_sh = test_sh and state != TEST_SH
        slip_done = slip_done and state != SLIP  # it is for a slip of before
        enter_lock(state, s, n)

    s.timer[n] += 1
    test_sh, timer_done = tested, s.timer[n] == window
    if not locked:
        enter_ber(BER_MT_INIT, s, n)
        enter_ber(START_TIMER, s, n)
        enter_ber(BER_TEST_SH, s, n)
        return
    while True:
        state = ber_exit(test_sh, sh_valid, timer_done, s, n)
        if state == s.ber[n]:
            break
        test_sh = test_sh and state != BER_TEST_SH
        timer_done = timer_done and state != START_TIMER
        enter_ber(state, s, n)


@compiled
def block_lock_step(window, s, inputs, outputs):
    """Outputs of this cycle, then the clock edge, of all instances."""
    for n in range(s.lock.size):
        block_lock_outputs(s, outputs, n)
        block_lock_clock(window, s, inputs, n)


class BlockLockModel:
    """``instances`` of it."""

    def __init__(self, config: LaneConfig, instances: int = 1):
        self.config, self.instances = config, instances
        self.inputs, self.outputs = (
            allocate(kind, dict.fromkeys(kind._fields, (instances,)))
            for kind in (BlockLockInputs, BlockLockOutputs)
        )
        self.reset()

    def reset(self) -> None:
        """The state after reset: LOCK_INIT has been left, and headers are awaited."""
        shapes = dict.fromkeys(BlockLockState._fields, (self.instances,))
        self.state = allocate(BlockLockState, shapes)
        self.state.lock[:], self.state.ber[:] = TEST_SH, BER_TEST_SH

    def step(self) -> BlockLockOutputs:
        """Outputs of this cycle, then the clock edge."""
        block_lock_step(self.config.ber_window_cycles, self.state, self.inputs, self.outputs)
        return self.outputs
