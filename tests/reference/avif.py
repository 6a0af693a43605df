"""Makes the small AVIF files that the engine's tests open (engine/src/image/tests/avif).

    python tests/reference/avif.py FOLDER

needs NumPy, Pillow and libavif's avifenc (made with 0.11.1). The picture is computed here and,
again, in engine/src/image/tests/avif.rs; nobody's photograph is in it.
"""

import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 23, 17


def plane(width, height):
    """Red, green, blue and opacity in 255ths."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    return np.stack([40 + 8 * x, 200 - 9 * y, 60 + 3 * x + 5 * y, 255 - 6 * x - 4 * y], -1)


def png16(path, pixels):
    """Sixteen bits a sample, which Pillow does not write: by hand."""
    height, width, channels = pixels.shape
    words = np.round(pixels / 255 * 65535).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in words)
    kind = {3: 2, 4: 6}[channels]

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def y4m_left(path, pixels):
    """Chroma halved both ways, standing beside the left of its two pixels; limited range."""
    r, g, b = (pixels[..., i] / 255 for i in range(3))
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    u, v = (b - luma) / 1.8556, (r - luma) / 1.5748

    def halved(c):
        # The mean of two rows; across, the left pixel with half of each neighbour.
        c = np.pad(c, ((0, c.shape[0] % 2), (1, 1)), mode="edge")
        across = c[:, 0:-2] * 0.25 + c[:, 1:-1] * 0.5 + c[:, 2:] * 0.25
        across = across[:, ::2]
        return (across[0::2] + across[1::2]) / 2

    def coded(c, zero, span):
        return np.round(zero + span * c).astype(np.uint8).tobytes()

    height, width = luma.shape
    head = f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED\nFRAME\n"
    data = coded(luma, 16, 219) + coded(halved(u), 128, 224) + coded(halved(v), 128, 224)
    path.write_bytes(head.encode() + data)


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp())
    picture = plane(WIDTH, HEIGHT)
    Image.fromarray(picture[..., :3].astype(np.uint8)).save(work / "rgb.png")
    Image.fromarray(picture.astype(np.uint8)).save(work / "rgba.png")
    png16(work / "rgb16.png", picture[..., :3])
    png16(work / "rgba16.png", picture)
    y4m_left(work / "left.y4m", picture[..., :3])
    blocks = plane(16, 16)[..., :3].repeat(8, 0).repeat(8, 1)
    Image.fromarray(blocks.astype(np.uint8)).save(work / "large.png")
    (work / "icc").write_bytes(b"bytes of a profile that nobody follows")
    exif = b"MM\0\x2a\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    (work / "exif").write_bytes(exif)
    xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    (work / "xmp").write_text(xmp)

    exact = ["--min", "0", "--max", "0", "--minalpha", "0", "--maxalpha", "0"]

    def make(name, source, *options):
        sources = [str(work / s) for s in source.split()]
        command = ["avifenc", "-s", "3", *exact, *options, *sources, str(out / f"{name}.avif")]
        # It warns of what its planes cannot hold exactly.
        subprocess.run(command, check=True, capture_output=True)

    for layout in ["444", "422", "420", "400"]:
        make(f"{layout}-8", "rgb.png", "-y", layout, "-d", "8")
        for depth in ["10", "12"]:
            make(f"{layout}-{depth}", "rgb16.png", "-y", layout, "-d", depth)
    make("alpha-8", "rgba.png", "-y", "444", "-d", "8")
    make("alpha-10", "rgba16.png", "-y", "420", "-d", "10")
    make("alpha-grey", "rgba16.png", "-y", "400", "-d", "12")
    make("multiplied", "rgba16.png", "-y", "444", "-d", "12", "-p")
    for depth, source in [("8", "rgb.png"), ("10", "rgb16.png")]:
        make(f"limited-{depth}", source, "-y", "444", "-d", depth, "-r", "limited")
    for matrix in [0, 1, 4, 7, 8, 9]:
        options = ["-y", "444", "-d", "12", "--nclx", f"1/13/{matrix}"]
        make(f"matrix-{matrix}", "rgb16.png", *options)
    make("matrix-12", "rgb16.png", "-y", "444", "-d", "12", "--nclx", "12/13/12")
    make("pq", "rgb16.png", "-y", "444", "-d", "12", "--nclx", "9/16/9")
    make("hlg", "rgb16.png", "-y", "444", "-d", "12", "--nclx", "9/18/9")
    make("left", "left.y4m", "--nclx", "1/13/1")
    make("turned", "rgb.png", "-y", "444", "--irot", "1", "--imir", "0")
    make("cropped", "rgb.png", "-y", "444", "--crop", "3,2,10,12")
    make("told", "rgb.png", "-y", "444", "--icc", str(work / "icc"), "--exif",
         str(work / "exif"), "--xmp", str(work / "xmp"))
    make("parts", "large.png", "-y", "444", "--grid", "2x2")
    make("film", "rgb.png rgba.png", "-y", "444")


main()
