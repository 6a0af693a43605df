"""Machine code of the kernels in this program's pipeline cache, for NVIDIA's driver on Linux.

    SERPENT_CACHE=/tmp/cache serpent bench --models denoise-base --sizes 1024
    python3 tests/reference/sass.py /tmp/cache/pipelines-* /tmp/sass [SM90]

Writes each kernel's code to the folder, and says of each: instructions, registers, and how many of
the kinds that tell kernels apart. The driver compresses what it compiles with zstd (package
zstandard); nvdisasm comes with CUDA and with the package triton. A kernel that needs more than 128
registers leaves room for one workgroup of 256 invocations a processor.
"""

import collections
import pathlib
import re
import struct
import subprocess
import sys

import zstandard

ENTRY, FRAME = b"CPKV", b"\x28\xb5\x2f\xfd"
CONTAINER = b"NVDANVVM"
CODE = 1
TOLD = ("HMMA", "LDSM", "LDG", "STG", "LDS", "STS", "BAR", "MUFU", "FFMA", "BRA")


def objects(cache):
    """What the driver compiled, one after the other."""
    at = cache.find(ENTRY)
    while at >= 0:
        frame = cache.find(FRAME, at)
        if frame < 0:
            return
        yield zstandard.ZstdDecompressor().decompressobj().decompress(cache[frame:])
        at = cache.find(ENTRY, frame)


def code(compiled):
    """The section of instructions: offsets count from behind the container's name."""
    if not compiled.startswith(CONTAINER):
        return None
    for entry in range(0x28, 0x28 + 32 * 0x20, 0x20):
        kind, size, offset = struct.unpack_from("<IIQ", compiled, entry)
        if kind == CODE:
            start = len(CONTAINER) + offset
            return compiled[start:start + size]
    return None


def main(cache, folder, architecture="SM90"):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number, compiled in enumerate(objects(pathlib.Path(cache).read_bytes())):
        instructions = code(compiled)
        if instructions is None:
            continue
        binary = folder / f"{number:03}.bin"
        binary.write_bytes(instructions)
        text = subprocess.run(["nvdisasm", "--binary", architecture, binary], capture_output=True, text=True, check=True).stdout
        binary.unlink()
        (folder / f"{number:03}.sass").write_text(text)
        lines = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?(\w+)", text)
        kinds = collections.Counter(next((k for k in TOLD if line.startswith(k)), "") for line in lines)
        registers = 1 + max((int(r) for r in re.findall(r"\bR(\d+)\b", text)), default=0)
        print(f"{number:03}: {len(lines)} instructions, {registers} registers,", ", ".join(f"{k} {kinds[k]}" for k in TOLD))


if __name__ == "__main__":
    main(*sys.argv[1:])
