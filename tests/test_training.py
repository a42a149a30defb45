# amaranth: UnusedElaboratable=no
import pytest

from models.serdes.config import LanesConfig
from models.serdes.training import State, TrainingModel
from rtl.serdes.training import Training, TrainingState
from sim.solver import prove
from sim.verilator import run_bench
from verif.proof.training import TrainingProof

CODED = LanesConfig(name="coded", lanes=4, words_per_cycle=5, marker_codewords=4)
PLAIN = LanesConfig(name="plain", lanes=1, words_per_cycle=5, fec="none", marker_codewords=4)


@pytest.mark.verilator
@pytest.mark.parametrize("config", [CODED, PLAIN], ids=lambda config: config.name)
def test_rtl_matches_model(config):
    run_bench("training", Training(config), config)


@pytest.mark.formal
def test_proof():
    config = LanesConfig(name="proof", lanes=1, words_per_cycle=9, marker_codewords=1)
    prove(TrainingProof(config), "training", depth=30)


def test_states_are_those_of_the_model():
    assert {state.name: state.value for state in State} == {
        state.name: state.value for state in TrainingState
    }


def come_up(model: TrainingModel) -> list[int]:
    """States as one thing after the other is there."""
    i, found = model.inputs, []
    for name in ("enable", "signal_ok", "locked", "aligned", "codeword"):
        getattr(i, name)[:] = 1
        model.step()
        found.append(int(model.step().state[0]))
    return found


def test_port_comes_up_step_by_step():
    assert come_up(TrainingModel(CODED)) == [1, 2, 3, 3, 4]
    assert come_up(TrainingModel(PLAIN)) == [1, 2, 3, 4, 4]


def test_third_bad_codeword_in_a_row_begins_a_search():
    model = TrainingModel(CODED)
    come_up(model)
    model.inputs.bad[0] = 1
    for _ in range(3):
        model.step()
    assert model.outputs.ready[0] and not model.outputs.search[0]
    o = model.step()
    assert o.search[0] and o.condemned[0] and o.lost[0] and o.state[0] == State.LOCK


def test_search_that_takes_too_long_begins_again():
    model, searches = TrainingModel(CODED), []
    model.inputs.enable[0] = 1
    model.inputs.signal_ok[:] = 1
    for cycle in range(3 * CODED.search_cycles + 3):
        if model.step().search[0]:
            searches.append(cycle)
    first = searches[0]
    assert searches == [first, first + CODED.search_cycles, first + 2 * CODED.search_cycles]
