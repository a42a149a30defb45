"""``lingyun reach``: how long a copper cable may be, as tables or JSON."""

import json
from math import log10
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from models.link.config import LinkConfig
from models.link.wire import frame_words
from models.serdes.config import LanesConfig
from models.serdes.reach import LONGEST, CopperLine, highest_ber
from models.serdes.theory import bad_words, ber_after, frames_hit, symbol_errors

__all__ = ["FRAMES_HIT", "figures", "run"]

FRAMES_HIT = 1e-12  # part of the largest frames that may be sent again because of errors


def figures(
    line: CopperLine,
    lanes: LanesConfig,
    ends: LinkConfig,
    metres: tuple[float, ...],
    ber: float,
) -> dict[str, Any]:
    """All that is told of a line, as JSON has it: one row for each of ``metres``, and reaches.

    A reach is in metres, None if even no cable is too much.
    """
    words = frame_words(ends.max_packet_bytes)
    rows = []
    for length in metres:
        copper = line.with_(metres=length)
        wrong = symbol_errors(copper.ber)
        rows.append(
            {
                "metres": length,
                "loss_db": float(copper.loss_db(copper.nyquist_ghz)),
                "snr_db": 10 * log10(copper.snr) if copper.snr else None,
                "ber": copper.ber,
                "codewords_bad": None if lanes.fec == "none" else bad_words(lanes.code, wrong),
                "ber_after": ber_after(lanes, copper.ber),
                "frames_hit": frames_hit(lanes, words, copper.ber),
            }
        )
    highest = highest_ber(lanes, words, FRAMES_HIT)
    return {
        "config": ends.name,
        "lanes": lanes.lanes,
        "fec": lanes.fec,
        "gbps": line.gbps,
        "signalling": line.signalling,
        "gbaud": line.gbaud,
        "parts": line.name,
        "awg": line.awg,
        "rows": rows,
        "ber": ber,
        "reach_of_ber": line.reach(ber),
        "frame_bytes": ends.max_packet_bytes,
        "frames_hit": FRAMES_HIT,
        "highest_ber": highest,
        "reach_of_frames": None if highest is None else line.reach(highest),
    }


def run(
    line: CopperLine,
    lanes: LanesConfig,
    ends: LinkConfig,
    *,
    metres: tuple[float, ...],
    ber: float,
    as_json: bool = False,
) -> int:
    """Show what there is to tell; exit status 0."""
    found = figures(line, lanes, ends, metres, ber)
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    console = Console()
    several = "lanes" if lanes.lanes > 1 else "lane"
    console.print(
        f"{ends.name}: {lanes.lanes} {several}, FEC {lanes.fec}; a lane has {line.gbps:g} Gbit/s "
        f"on the line, {line.signalling}, {line.gbaud:g} GBd; parts as for {line.name}, cable of "
        f"{line.awg} AWG",
        highlight=False,
    )
    table = Table(box=box.SIMPLE_HEAD)
    for column in (
        "metres",
        f"loss at {line.nyquist_ghz:.4g} GHz, dB",
        "SNR, dB",
        "BER before FEC",
        "codewords bad",
        "BER after FEC",
        "frames resent",
    ):
        table.add_column(column, justify="right")
    for row in found["rows"]:
        table.add_row(
            f"{row['metres']:g}",
            f"{row['loss_db']:.1f}",
            "-" if row["snr_db"] is None else f"{row['snr_db']:.1f}",
            *(
                "-" if row[name] is None else f"{row[name]:.1e}"
                for name in ("ber", "codewords_bad", "ber_after", "frames_hit")
            ),
        )
    console.print(table)
    console.print(f"BER {ber:g} before FEC: {told(found['reach_of_ber'])}", highlight=False)
    needed = f"{found['highest_ber']:.1e}" if found["highest_ber"] else "lower than 1e-40"
    console.print(
        f"fewer than {FRAMES_HIT:g} of frames of {found['frame_bytes']} bytes resent, BER {needed} "
        f"before FEC: {told(found['reach_of_frames'])}",
        highlight=False,
    )
    return 0


def told(reach: float | None) -> str:
    """A reach in words."""
    if reach is None:
        return "too much even without a cable"
    return f"more than {LONGEST:g} m" if reach >= LONGEST else f"up to {reach:.2f} m"
