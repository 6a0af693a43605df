"""The Serpent network in PyTorch: an independent twin of the engine.

Reads the same safetensors file, with the same tensor names; written for
clarity, not speed (the scan is a plain loop). Images are [B, C, H, W] here,
as PyTorch likes them; sizes are multiples of patch * 2 ** (scales - 1).
"""

import json

import torch
import torch.nn.functional as F
from safetensors import safe_open


def load(path):
    """Configuration and tensors of a checkpoint, as 32-bit floats."""
    with safe_open(path, framework="pt") as f:
        config = json.loads(f.metadata()["serpent.config"])
        return config, {name: f.get_tensor(name).float() for name in f.keys()}


class Serpent:
    def __init__(self, config, tensors):
        self.c, self.t = config, tensors
        self.blocks = 0  # scanned in this pass

    def __call__(self, x):
        """[B, 3 or 4, H, W] in [0, 1] -> [B, 3, rH, rW], not clipped."""
        c, t = self.c, self.t
        self.blocks = 0
        p, r, bottom = c["patch"], c["scale"], len(c["depths"]) - 1
        y = self.stem(x)
        skips = []
        for s in range(bottom):
            y = self.stage(y, f"encoder.{s}", c["depths"][s])
            skips.append(y)
            y = self.merge(y, f"merge.{s}")
        y = self.stage(y, "bottom", c["depths"][bottom])
        for s in reversed(range(bottom)):
            y = self.expand(y, skips[s], f"expand.{s}")
            y = self.stage(y, f"decoder.{s}", c["depths"][s])
        y = self.linear(self.norm(y, "head.norm"), "head.proj")
        y = F.pixel_shuffle(y, p)
        y = F.conv2d(y, t["head.conv.weight"], t["head.conv.bias"], padding=1)
        return upsample(x[:, :3], r) + F.pixel_shuffle(y, r)

    def stem(self, x):
        p = self.c["patch"]
        if p == 1:
            x = F.conv2d(x, self.t["stem.conv.weight"], self.t["stem.conv.bias"], padding=1)
        else:
            x = self.linear(F.pixel_unshuffle(x, p), "stem.proj")
        return self.norm(x, "stem.norm")

    def stage(self, x, name, depth):
        for i in range(depth):
            x = self.block(x, f"{name}.blocks.{i}")
        return x

    def block(self, x, name):
        x = x + self.scale(name + ".scale1") * self.ss2d(self.norm(x, name + ".norm1"), name + ".ss2d")
        if self.c["ffn"] == "none":
            return x
        ffn = self.attention_ffn if self.c["ffn"] == "channel-attention" else self.gated_ffn
        return x + self.scale(name + ".scale2") * ffn(self.norm(x, name + ".norm2"), name + ".ffn")

    def ss2d(self, u, name):
        t = self.t
        v, z = self.linear(u, name + ".in_v"), self.linear(u, name + ".in_z")
        v = F.conv2d(v, t[name + ".conv.weight"], t[name + ".conv.bias"], padding=1, groups=v.shape[1])
        v = F.silu(v)
        y = self.scan(v, self.linear(v, name + ".x_proj"), name)
        return self.linear(self.norm(y, name + ".norm") * F.silu(z), name + ".out")

    def scan(self, v, projected, name):
        t, n = self.t, self.c["states"]
        b, d, h, w = v.shape
        w_dt, b_dt, skip = t[name + ".dt_proj.weight"], t[name + ".dt_proj.bias"], t[name + ".d"]
        k, _, r = w_dt.shape
        a = -torch.exp(t[name + ".a_log"])
        if self.c["tied_decay"]:
            a = a[..., None] * torch.arange(1, n + 1)
        # Every second block scans from the other end.
        flip = 2 if self.c.get("alternating") and self.blocks % 2 else 0
        self.blocks += 1
        y = torch.zeros_like(v)
        for i, block in enumerate(projected.split(r + 2 * n, dim=1)[:k]):
            direction = (i + flip) % 4
            vs, ps = ordered(v, direction), ordered(block, direction)
            rs, bs, cs = ps.split([r, n, n], dim=1)
            # torch's softplus is the identity above its threshold of 20.
            delta = F.softplus(torch.einsum("dr,brl->bdl", w_dt[i], rs) + b_dt[i][:, None])
            state = torch.zeros(b, d, n, dtype=v.dtype)
            out = []
            for j in range(h * w):
                dj, vj = delta[..., j, None], vs[..., j, None]
                state = torch.exp(dj * a[i]) * state + dj * vj * bs[:, None, :, j]
                out.append((state * cs[:, None, :, j]).sum(-1))
            ys = torch.stack(out, -1) + skip[i][:, None] * vs
            y = y + restored(ys, direction, h, w)
        return y

    def gated_ffn(self, x, name):
        x = self.linear(x, name + ".in")
        x = F.conv2d(x, self.t[name + ".conv.weight"], padding=1, groups=x.shape[1])
        a, b = x.chunk(2, dim=1)
        return self.linear(F.gelu(a, approximate="tanh") * b, name + ".out")

    def attention_ffn(self, x, name):
        t = self.t
        x = F.conv2d(x, t[name + ".conv1.weight"], t[name + ".conv1.bias"], padding=1)
        x = F.gelu(x, approximate="tanh")
        x = F.conv2d(x, t[name + ".conv2.weight"], t[name + ".conv2.bias"], padding=1)
        a = x.mean((2, 3), keepdim=True)
        a = self.linear(F.relu(self.linear(a, name + ".squeeze")), name + ".excite")
        return x * torch.sigmoid(a)

    def merge(self, x, name):
        parts = [x[:, :, dy::2, dx::2] for dx in (0, 1) for dy in (0, 1)]
        return self.linear(self.norm(torch.cat(parts, 1), name + ".norm"), name + ".proj")

    def expand(self, x, skip, name):
        x = F.pixel_shuffle(self.linear(x, name + ".proj"), 2)
        x = self.linear(torch.cat([x, skip], 1), name + ".fuse")
        return self.norm(x, name + ".norm")

    def linear(self, x, name):
        """A linear layer over channels is a 1x1 convolution."""
        return F.conv2d(x, self.t[name + ".weight"][:, :, None, None], self.t.get(name + ".bias"))

    def norm(self, x, name):
        g, b = self.t[name + ".weight"], self.t[name + ".bias"]
        return F.layer_norm(x.movedim(1, -1), (len(g),), g, b).movedim(-1, 1)

    def scale(self, name):
        return self.t[name][:, None, None]


def ordered(x, k):
    """[B, C, H, W] as the sequence [B, C, L] of direction k."""
    x = x if k % 2 == 0 else x.transpose(2, 3)
    x = x.flatten(2)
    return x if k < 2 else x.flip(2)


def restored(x, k, h, w):
    """The inverse of `ordered`."""
    x = x if k < 2 else x.flip(2)
    return x.unflatten(2, (h, w)) if k % 2 == 0 else x.unflatten(2, (w, h)).transpose(2, 3)


def upsample(x, r):
    """Bicubic with a = -0.5, half-pixel centres, edges replicated, one axis at a time."""
    if r == 1:
        return x
    for axis in (2, 3):
        n = x.shape[axis]
        centre = (torch.arange(n * r, dtype=torch.float64) + 0.5) / r - 0.5
        first = centre.floor().long() - 1
        out = 0
        for tap in range(4):
            weight = cubic(centre - (first + tap)).to(x.dtype)
            shape = [1] * 4
            shape[axis] = -1
            out = out + x.index_select(axis, (first + tap).clamp(0, n - 1)) * weight.view(shape)
        x = out
    return x


def cubic(x, a=-0.5):
    """Keys' cubic convolution kernel."""
    x = x.abs()
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
