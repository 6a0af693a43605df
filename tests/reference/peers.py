"""Times of published denoisers on this machine's graphics card, for `models/published.toml`.

    python3 tests/reference/peers.py

Each network is built from its paper's layers with random weights, which change nothing about the
time: one picture of 256 x 256 in colour, 16 bits, channels last, kernels alone by CUDA events, the
launches recorded as a CUDA graph so that the processor is no part of it; median of 50. Then products
of matrices in 16 bits (cuBLAS) of the shapes `serpent bench` times. One JSON object.
"""

import json
import sys

import torch
from torch import nn
from torch.nn import functional as F


def plain(channels, layers, dilations=None, inside=3, norm=True):
    """A chain of 3 x 3 convolutions with ReLU between them."""
    parts = []
    for i in range(layers):
        first, last = i == 0, i == layers - 1
        d = dilations[i] if dilations else 1
        parts.append(nn.Conv2d(inside if first else channels, 3 if last and not dilations else channels, 3, padding=d, dilation=d))
        if not last:
            parts.append(nn.ReLU(inplace=True))
    return nn.Sequential(*parts)


class DnCNN(nn.Module):
    """arXiv 1608.03981: 20 layers of 64; batch norms are folded into the convolutions."""

    def __init__(self):
        super().__init__()
        self.body = plain(64, 20)

    def forward(self, x):
        return x - self.body(x)


class IRCNN(nn.Module):
    """arXiv 1704.03264: 7 dilated layers of 64."""

    def __init__(self):
        super().__init__()
        dilations = [1, 2, 3, 4, 3, 2, 1]
        parts = []
        for i, d in enumerate(dilations):
            parts.append(nn.Conv2d(3 if i == 0 else 64, 3 if i == 6 else 64, 3, padding=d, dilation=d))
            if i < 6:
                parts.append(nn.ReLU(inplace=True))
        self.body = nn.Sequential(*parts)

    def forward(self, x):
        return x - self.body(x)


class FFDNet(nn.Module):
    """arXiv 1710.04026: 12 layers of 96 at half the resolution, with the noise level beside."""

    def __init__(self):
        super().__init__()
        parts = []
        for i in range(12):
            parts.append(nn.Conv2d(13 if i == 0 else 96, 12 if i == 11 else 96, 3, padding=1))
            if i < 11:
                parts.append(nn.ReLU(inplace=True))
        self.body = nn.Sequential(*parts)

    def forward(self, x):
        low = F.pixel_unshuffle(x, 2)
        level = low[:, :1] * 0 + 0.1
        return F.pixel_shuffle(self.body(torch.cat([low, level], 1)), 2)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        return x + self.second(F.relu(self.first(x)))


class DRUNet(nn.Module):
    """arXiv 2008.13751: four scales of 64 to 512 channels, four residual blocks each way."""

    def __init__(self):
        super().__init__()
        c = [64, 128, 256, 512]
        blocks = lambda n: nn.Sequential(*[Residual(n) for _ in range(4)])
        self.head = nn.Conv2d(4, c[0], 3, padding=1, bias=False)
        self.down = nn.ModuleList(nn.Sequential(blocks(a), nn.Conv2d(a, b, 2, 2, bias=False)) for a, b in zip(c, c[1:]))
        self.body = blocks(c[3])
        self.up = nn.ModuleList(nn.Sequential(nn.ConvTranspose2d(b, a, 2, 2, bias=False), blocks(a)) for a, b in zip(c[-2::-1], c[:0:-1]))
        self.tail = nn.Conv2d(c[0], 3, 3, padding=1, bias=False)

    def forward(self, x):
        x = self.head(torch.cat([x, x[:, :1] * 0 + 0.1], 1))
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        # The skip of the lowest scale is its own input, as of the others.
        bottom = x
        x = self.body(x) + bottom
        for up, skip in zip(self.up, reversed(skips)):
            x = up(x) + skip
        return self.tail(x)


def milliseconds(run, repeats=50):
    """Median of a recorded run, by the card's clock."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(5):
            run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    for _ in range(20):
        graph.replay()
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[len(times) // 2]


def main():
    torch.backends.cudnn.benchmark = True
    like = dict(device="cuda", dtype=torch.float16)
    found = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "ms_256": {}, "products": {}}
    with torch.no_grad():
        x = torch.rand(1, 3, 256, 256, **like).to(memory_format=torch.channels_last)
        for name, network in dict(IRCNN=IRCNN, DnCNN=DnCNN, FFDNet=FFDNet, DRUNet=DRUNet).items():
            network = network().to(**like).to(memory_format=torch.channels_last).eval()
            found["ms_256"][name] = milliseconds(lambda: network(x))
        shapes = [[int(n) for n in text.split("x")] for text in sys.argv[1:]]
        for m, k, n in shapes:
            a, b = torch.rand(m, k, **like), torch.rand(n, k, **like)
            ms = milliseconds(lambda: a @ b.T)
            found["products"][f"{m}x{k}x{n}"] = {"ms": ms, "tflops": 2 * m * k * n / ms / 1e9}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
