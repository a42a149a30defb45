"""The save file of a wave dump: what GTKWave shows first, in groups by block and by port."""

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["signals", "write_save_file"]

VCD = re.compile(r"\$(scope|upscope|var)\s+(.*?)\s*\$end", re.DOTALL)
PORT = re.compile(r"(?:^|_)(\d+)(?:_|$)")

BENCH_DEPTH = 3  # top.dut.dut: the component under the bench and the packed top

# Blocks and entries of FST, see the appendix of the GTKWave manual.
HIERARCHY = {4: "gzip", 6: "lz4", 7: "lz4 twice"}
SCOPE, UP, ATTRIBUTE, ATTRIBUTE_END = 254, 255, 252, 253


def signals(dump: Path) -> list[tuple[tuple[str, ...], str]]:
    """Scopes, and name with its range (``data[7:0]``), of every signal in a VCD or FST file.

    Raises
    ------
    ValueError
        If the file is neither.
    """
    if dump.suffix == ".vcd":
        return list(_vcd(dump))
    if dump.suffix == ".fst":
        return list(_fst(dump.read_bytes()))
    raise ValueError(f"waves must be a .vcd or .fst file, not {dump}")


def write_save_file(dump: Path) -> Path:
    """Write the GTKWave save file of ``dump`` beside it; returns its path.

    The signals of each block form a group, and in it those of each port. Clock and reset stand on
    top. Closed groups open with a double click.
    """
    top: list[str] = []
    groups: dict[tuple[str, ...], dict[str, list[str]]] = {}
    found = [(scopes, name) for scopes, name in dict.fromkeys(signals(dump)) if "$" not in name]
    depth = min(BENCH_DEPTH, max((len(scopes) for scopes, _ in found), default=0))
    for scopes, name in found:
        path = ".".join((*scopes, name))
        if name in ("clk", "rst"):
            if len(scopes) == 1:
                top.append(path)
        elif len(scopes) >= depth:
            number = PORT.search(name.split("[")[0])
            port = f"port {number[1]}" if number else ""
            groups.setdefault(scopes, {}).setdefault(port, []).append(path)
    lines = [f'[dumpfile] "{dump.name}"', "[timestart] 0", "[size] 1600 900", "[pos] -1 -1"]
    lines += ["[sst_expanded] 1", "@28", *top]
    for scopes, ports in groups.items():
        title = ".".join(scopes[depth - 1 :])
        lines += ["@c00200", f"-{title}"]
        for port in sorted(ports, key=lambda port: int(port[5:] or -1)):
            if port:
                lines += ["@c00200", f"-{title} {port}"]
            for path in ports[port]:
                lines += ["@22" if "[" in path else "@28", path]
            if port:
                lines += ["@1401200", f"-{title} {port}"]
        lines += ["@1401200", f"-{title}"]
    save = dump.with_suffix(".gtkw")
    save.write_text("\n".join(lines) + "\n")
    return save


def _vcd(dump: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    with dump.open() as file:
        header = "".join(iter(lambda: file.readline().replace("$enddefinitions", ""), ""))
    scopes: list[str] = []
    for kind, rest in VCD.findall(header):
        words = rest.split()
        if kind == "scope":
            scopes.append(words[1])
        elif kind == "upscope":
            scopes.pop()
        else:
            yield tuple(scopes), "".join(words[3:])


def _fst(content: bytes) -> Iterator[tuple[tuple[str, ...], str]]:
    place = 0
    while place < len(content):
        kind, size = struct.unpack_from(">BQ", content, place)
        if kind in HIERARCHY:
            yield from _fst_hierarchy(_unpack(kind, content[place + 9 : place + 1 + size]))
        place += 1 + size


def _unpack(kind: int, block: bytes) -> bytes:
    size = struct.unpack_from(">Q", block)[0]
    if kind == 4:
        return zlib.decompress(block[8:], wbits=47)
    if kind == 7:
        once = struct.unpack_from(">Q", block, 8)[0]
        return _lz4(_lz4(block[16:], once), size)
    return _lz4(block[8:], size)


def _lz4(block: bytes, size: int) -> bytes:
    """Decompress one LZ4 block; see lz4_Block_format.md of the LZ4 project."""
    out, place = bytearray(), 0

    def length(nibble: int) -> int:
        nonlocal place
        total, more = nibble, 255 if nibble == 15 else 0
        while more == 255:
            more = block[place]
            place += 1
            total += more
        return total

    while len(out) < size:
        token = block[place]
        place += 1
        literals = length(token >> 4)
        out += block[place : place + literals]
        place += literals
        if len(out) >= size:
            break
        offset = int.from_bytes(block[place : place + 2], "little")
        place += 2
        for _ in range(length(token & 15) + 4):
            out.append(out[-offset])
    return bytes(out)


def _fst_hierarchy(tree: bytes) -> Iterator[tuple[tuple[str, ...], str]]:
    place = 0

    def text() -> str:
        nonlocal place
        end = tree.index(0, place)
        value = tree[place:end].decode()
        place = end + 1
        return value

    def skip_number() -> None:
        nonlocal place
        while tree[place] & 128:
            place += 1
        place += 1

    scopes: list[str] = []
    while place < len(tree):
        kind = tree[place]
        place += 1
        if kind == SCOPE:
            place += 1
            scopes.append(text())
            text()
        elif kind == UP:
            scopes.pop()
        elif kind == ATTRIBUTE:
            place += 2
            text()
            skip_number()
        elif kind != ATTRIBUTE_END:
            place += 1
            name = text()
            skip_number()
            skip_number()
            yield tuple(scopes), name.replace(" ", "")
