"""The environment of the tools, the profiles of hypothesis, and the time that each suite takes."""

import os

import pytest
from hypothesis import HealthCheck, settings

from sim import BUILD  # importing sim sets the environment, before numba and Amaranth are there

BUDGETS = {
    "unit": 4,
    "verilator": 14,
    "formal": 5,
    "fpga": 2,
}  # minutes on two cores, slow tests not counted

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(BUILD / "hypothesis"))
# No deadline: the first example of a compiled model pays for its compilation.
# How long it takes to make examples says how busy the machine is, and no more.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeat", PATIENT, derandomize=True)
settings.register_profile("explore", PATIENT, print_blob=True)
settings.load_profile("repeat")


def pytest_addoption(parser):
    parser.addoption("--times", action="store_true", help="show the time that each suite took")


def suite(keywords) -> str:
    return next((name for name in ("formal", "verilator", "fpga") if name in keywords), "unit")


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("times"):
        return
    tests, seconds = dict.fromkeys(BUDGETS, 0), dict.fromkeys(BUDGETS, 0.0)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                tests[suite(report.keywords)] += report.when == "call"
                seconds[suite(report.keywords)] += report.duration
    terminalreporter.section("time of each suite")
    terminalreporter.write_line(f"{'suite':<10}{'tests':>6}{'used':>10}{'budget':>10}")
    for name, budget in BUDGETS.items():
        used = seconds[name] / 60
        terminalreporter.write_line(
            f"{name:<10}{tests[name]:>6}{used:>6.1f} min{budget:>6} min"
            + ("  over budget" if used > budget else "")
        )
