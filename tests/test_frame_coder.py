# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from models.serdes.config import LanesConfig
from models.serdes.fec_decoder import decode, scratch
from models.serdes.frame_coder import FrameDecoderModel, FrameEncoderModel
from rtl.serdes.frame_coder import FrameDecoder, FrameEncoder
from sim.verilator import run_bench


def frames_of(words: int, lanes: int, interleave: int, fec: str = "rs272") -> LanesConfig:
    return LanesConfig(
        name=f"{fec}x{interleave}-{words}-{lanes}",
        words_per_cycle=words,
        lanes=lanes,
        fec=fec,
        interleave=interleave,
    )


# Of the first a group ends in the middle of a turn.
CONFIGS = [
    frames_of(1, 8, 4),
    pytest.param(frames_of(1, 8, 2), marks=pytest.mark.slow),
    pytest.param(frames_of(1, 2, 4), marks=pytest.mark.slow),
    pytest.param(frames_of(5, 4, 2), marks=pytest.mark.slow),
    pytest.param(frames_of(5, 4, 4, "rs544"), marks=pytest.mark.slow),
]


@pytest.mark.verilator
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("kind", [FrameEncoder, FrameDecoder])
def test_rtl_matches_model(config, kind):
    noun = kind.__name__.removeprefix("Frame").lower()
    run_bench(
        f"frame_{noun}",
        kind(config.frame),
        config,
        module="verif.bench.frame_coder",
        testcase=f"{noun}_matches_model",
        cycles=30 * config.frame.groups,
    )


class Line:
    """A decoder behind an encoder, and what is done to the symbols between them."""

    def __init__(self, lanes: LanesConfig):
        self.config = config = lanes.frame
        self.encoder, self.decoder = FrameEncoderModel(config), FrameDecoderModel(config)
        self.message = config.interleave * config.code.message_symbols
        self.rng, self.cycle = np.random.default_rng(1), 0

    def encoded(self) -> np.ndarray:
        """A frame on the line, of a message of all that is random."""
        config, found = self.config, []
        message = self.rng.integers(0, 1024, (config.groups, config.symbols_per_cycle))
        self.sent = message.ravel()[: self.message]
        for group in [*message, None]:
            self.encoder.inputs.i_valid[0] = group is not None
            if group is not None:
                self.encoder.inputs.i_payload_symbols[0] = group
            o = self.encoder.step()
            if o.o_valid[0]:
                found += o.o_payload_symbols[0].tolist()
        return np.array(found)

    def decoded(self, frames: list[np.ndarray]) -> list[tuple[int, int, int]]:
        """Of each, when it leaves behind the first group of the first, codewords of it that are bad
        and symbols that were wrong."""
        config, found, self.got = self.config, [], []
        groups = np.concatenate(frames).reshape(-1, config.symbols_per_cycle)
        for cycle in range(len(groups) + config.code.solve_cycles + config.groups + 1):
            self.decoder.inputs.i_valid[0] = cycle < len(groups)
            if cycle < len(groups):
                self.decoder.inputs.i_payload_symbols[0] = groups[cycle]
            o = self.decoder.step()
            if o.o_valid[0]:
                self.got += o.o_payload_symbols[0].tolist()
                if o.o_payload_first[0]:
                    found.append((cycle, int(o.bad[0]), int(o.corrected[0])))
        return found


EVERY = [(lanes, interleave) for lanes in (1, 2, 4, 8) for interleave in (1, 2, 4)]


@pytest.mark.parametrize("lanes, interleave", EVERY)
@pytest.mark.parametrize("fec", ["rs272", "rs544"])
def test_burst_on_a_lane_is_shared_out(lanes, interleave, fec):
    """On each lane and from anywhere on, t of each codeword are corrected; a symbol more is one too
    many for one of them, and for no other."""
    line = Line(frames_of(5, lanes, interleave, fec))
    frame, t = line.encoded(), line.config.code.correctable
    for lane in range(lanes):
        own = np.arange(lane, len(frame), lanes)
        for start in (0, *line.rng.integers(1, len(own) - interleave * t - 1, 5)):
            for more in (0, 1):
                hit = frame.copy()
                hit[own[start : start + interleave * t + more]] ^= 5
                ((_, bad, corrected),) = line.decoded([hit])
                assert bad == more and corrected == (interleave - more) * t
                if not more:
                    assert line.got[: line.message] == line.sent.tolist()


@pytest.mark.parametrize("lanes, interleave", EVERY)
def test_symbols_of_a_lane_are_of_all_codewords_in_turn(lanes, interleave):
    """Told by where one wrong symbol in each codeword of zeros is found."""
    config = frames_of(5, lanes, interleave).frame
    owners = []
    for place in range(4 * interleave * lanes):
        line = Line(frames_of(5, lanes, interleave))
        frame = np.zeros(config.symbols, dtype=np.int64)
        frame[place] = 1
        line.decoder.reset()
        state = line.decoder.state
        line.decoded([frame])
        hit = np.flatnonzero(state.code.corrected.sum(axis=1))
        owners.append(int(hit[0]))
    for lane in range(lanes):
        own = owners[lane::lanes]
        first = own[:interleave]
        assert sorted(first) == list(range(interleave))
        assert own == (first * len(own))[: len(own)]
    assert owners[:interleave] == list(range(interleave))


@pytest.mark.parametrize("interleave", [1, 2, 4])
def test_codewords_of_a_frame_leave_together(interleave):
    """Wherever the error is all of its frame are as late; the next one follows without a pause."""
    line = Line(frames_of(5, 4, interleave))
    code, groups = line.config.code, line.config.groups
    clean = line.encoded()
    assert line.decoded([clean]) == [(groups - 1 + code.clean_cycles, 0, 0)]
    for place in range(0, 8 * interleave):
        hit = clean.copy()
        hit[place] ^= 1
        first = groups - 1 + code.solve_cycles
        assert line.decoded([hit, clean]) == [(first, 0, 1), (first + groups, 0, 0)]
        assert line.got == 2 * line.got[: len(clean)]


def test_codewords_of_a_frame_are_codewords():
    """Symbols of a message go to them one after another, and their parity is right."""
    line = Line(frames_of(5, 4, 2))
    frame, code = line.encoded(), line.config.code
    rows = frame.reshape(-1, 4)
    rows[1::2] = rows[1::2][:, [1, 0, 3, 2]]  # where the second codeword is first
    for k in range(2):
        word = np.ascontiguousarray(rows.ravel()[k::2])
        assert decode(word, code.correctable, scratch(code)) == 0
        assert (word[: code.message_symbols] == line.sent[k::2]).all()
