"""Coverage: a case goes on until its goals are met, and fails if they never are."""

import pytest

from verif.coverage import Coverage


def test_ends_with_the_steps_asked_for_if_all_is_met():
    seen = Coverage(["early"])
    for step in seen.steps(10):
        seen["early"] += step == 3
    assert step == 9


def test_goes_on_until_the_last_goal():
    seen = Coverage({"late": 2, "early": 1})
    for step in seen.steps(10):
        seen["early"] += step == 0
        seen["late"] += step in (5, 47)
    assert step == 47
    assert not seen.missing


def test_names_what_it_never_met():
    seen = Coverage(["met", "never"])
    with pytest.raises(AssertionError, match=r"within 200 steps: \{'never': 0\}"):
        for _ in seen.steps(10):
            seen["met"] += 1
