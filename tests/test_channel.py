import numpy as np
import pytest

from models.channel import BLOCK_BITS, ERROR_WORD, IDLE_WORD, ChannelModel
from models.config import NODE, PROTO, RACK
from models.link.config import link_of

LINKS = [link_of(config) for config in (PROTO, NODE, RACK)]
CLEAN = LINKS[1].with_(line_gbps=None)  # words in every cycle


def through(channel, cycles, down=()):
    """Words that were sent in each cycle that took some, and those that came, with its number."""
    rng = np.random.default_rng(5)
    sent, came = [], []
    for cycle in range(cycles):
        i = channel.inputs
        i.data[0] = rng.integers(-(1 << 63), 1 << 63, i.data.shape[1])
        control = i.control[0].view(np.uint8)[: channel.config.words_per_cycle]
        control[:] = rng.integers(256, size=control.size)
        i.down[0] = cycle in down
        o = channel.step()
        assert o.up[0] != i.down[0]
        if o.ready[0]:
            sent.append((cycle, i.data[0].copy(), control.copy()))
        if o.valid[0]:
            came.append(
                (cycle, o.data[0].copy(), o.control[0].view(np.uint8)[: control.size].copy())
            )
    return sent, came


def words(rows):
    return np.array([row[1] for row in rows]), np.array([row[2] for row in rows])


@pytest.mark.parametrize("config", LINKS, ids=lambda config: config.name)
@pytest.mark.parametrize("delay", [1, 7, None])
def test_words_arrive_after_the_delay_at_the_rate_of_the_line(config, delay):
    channel = ChannelModel(config, seeds=[1], delay=delay)
    sent, came = through(channel, 3000)
    assert channel.delay == (delay or config.wire_cycles)
    late = [row for row in sent if row[0] + channel.delay < 3000]
    assert [row[0] for row in came] == [row[0] + channel.delay for row in late]
    for what, other in zip(words(came), words(late), strict=True):
        assert (what == other).all()
    taken = len(sent) * config.words_per_cycle / 3000
    assert abs(taken - config.line_words_per_cycle) < 2 * config.words_per_cycle / 3000


@pytest.mark.parametrize("burst", [1, 32])
def test_errors_come_as_often_as_said(burst):
    """Events within five standard deviations; bits of a burst: both ends, half of those between."""
    ber, cycles = 2e-4, 40_000
    channel = ChannelModel(CLEAN, seeds=[3], ber=ber, burst=burst)
    sent, came = through(channel, cycles)
    bits = BLOCK_BITS * CLEAN.words_per_cycle * len(came)
    events = bits * ber / (1 + ber * burst)  # none begins within another
    hits = 1 if burst == 1 else 2 + (burst - 2) / 2
    errors = int(channel.state.errors[0])
    assert abs(errors - hits * events) < 5 * hits * events**0.5 + hits
    changed = words(came)[0] ^ words(sent)[0][: len(came)]
    marked = (words(came)[0] == ERROR_WORD) & (words(came)[1] == 255)
    flipped = np.bitwise_count(changed[~marked].view(np.uint64)).sum()
    # Of a word that is marked as an error nothing else is seen.
    assert 0.7 * errors < flipped <= errors and marked.sum() > 0


def test_a_burst_ends_within_its_length():
    channel = ChannelModel(CLEAN, seeds=[3], ber=1e-5, burst=20)
    sent, came = through(channel, 20_000)
    old, new = (np.concatenate(words(rows)[0]) for rows in (sent, came))
    hit = [
        BLOCK_BITS * int(n) + 2 + bit
        for n in np.flatnonzero(old[: new.size] ^ new)
        if new[n] != ERROR_WORD
        for bit in range(64)
        if (int(old[n]) ^ int(new[n])) >> bit & 1
    ]
    bursts = np.split(np.array(hit), np.flatnonzero(np.diff(hit) >= 20) + 1)
    spans = [run[-1] - run[0] + 1 for run in bursts]
    assert len(spans) > 40 and max(spans) == 20 and np.median(spans) == 20


@pytest.mark.parametrize("ber", [1e-12, 1e-20, 1e-300])
def test_errors_that_are_too_rare_do_not_come(ber):
    channel = ChannelModel(CLEAN, seeds=[3], ber=ber)
    through(channel, 1000)
    assert channel.state.errors[0] == 0


@pytest.mark.parametrize("kind", ["drop", "duplicate"])
def test_lost_and_repeated_words(kind):
    channel = ChannelModel(CLEAN, seeds=[9], delay=1, **{kind: 0.01})
    sent, came = through(channel, 4000)
    count = int(getattr(channel.state, "dropped" if kind == "drop" else "duplicated")[0])
    assert pytest.approx(count, rel=0.3) == 5 * 4000 * 0.01
    seen = 0
    for (_, was, _), (_, now, control) in zip(sent, came, strict=False):
        if (was == now).all():
            continue
        if kind == "drop":
            lost = int(np.sum((now == IDLE_WORD) & (control == 255)))
            assert lost and set(now[: was.size - lost]) <= set(was)
        else:
            lost = was.size - len(set(now))
            assert lost
        seen += lost
    # A last word that comes twice changes nothing, and one that is doubled may push out another.
    assert 0.7 * count < seen <= count


def test_what_is_under_way_is_lost_while_the_link_is_down():
    channel = ChannelModel(CLEAN, seeds=[1], delay=10)
    _, came = through(channel, 100, down=range(30, 50))
    arrived = [row[0] for row in came]
    assert arrived == [*range(10, 30), *range(50, 100)]
    # What was not taken is told of where it is missing.
    wrong = [n for n, (_, data, marks) in enumerate(came) if set(data) == {ERROR_WORD}]
    assert [arrived[n] for n in wrong] == [*range(50, 60)]
    assert channel.state.lost[0] == 10


def test_reset_repeats_the_same_errors_and_seeds_differ():
    channel = ChannelModel(CLEAN, seeds=[1], ber=1e-3, burst=3)
    first = words(through(channel, 500)[1])[0]
    channel.reset()
    assert (words(through(channel, 500)[1])[0] == first).all()
    other = ChannelModel(CLEAN, seeds=[2], ber=1e-3, burst=3)
    assert (words(through(other, 500)[1])[0] != first).any()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"ber": 1.0}, "ber must be 0 or more and below 1, not 1.0"),
        ({"drop": -0.1}, "drop must be 0 or more and below 1, not -0.1"),
        ({"burst": 0}, "burst must be 1 bit or more, not 0"),
        ({"delay": 0}, "delay must be 1 cycle or more, not 0"),
    ],
)
def test_wrong_value_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        ChannelModel(CLEAN, seeds=[1], **changes)
