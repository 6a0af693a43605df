//! Joining, cutting and moving channels.

use rayon::prelude::*;

use super::{Kernel, Site, rows_per_task};
use crate::graph::{Op, RearrangeOrder};

pub(super) fn kernel(site: &Site<'_>) -> Option<Box<dyn Kernel>> {
    let [_, _, _, channels] = site.bhwc(0);
    match site.node.op {
        Op::ConcatChannels => Some(Box::new(Concat {
            widths: [channels, site.bhwc(1)[3]],
        })),
        Op::SliceChannels { start, len } => Some(Box::new(Slice {
            channels,
            start,
            len,
        })),
        Op::SpaceToDepth { factor, order } => Some(Box::new(Blocks {
            factor,
            order,
            flat: site.bhwc(0),
            gather: true,
        })),
        Op::DepthToSpace { factor, order } => Some(Box::new(Blocks {
            factor,
            order,
            flat: site.result(),
            gather: false,
        })),
        _ => None,
    }
}

struct Concat {
    widths: [usize; 2],
}

impl Kernel for Concat {
    fn run(&self, x: &[&[f32]], y: &mut [f32], _: &mut [f32]) {
        let [a, b] = self.widths;
        let rows = rows_per_task(a + b);
        y.par_chunks_mut(rows * (a + b))
            .enumerate()
            .for_each(|(i, y)| {
                let first = x[0][i * rows * a..].chunks_exact(a);
                let second = x[1][i * rows * b..].chunks_exact(b);
                for (y, (p, q)) in y.chunks_exact_mut(a + b).zip(first.zip(second)) {
                    y[..a].copy_from_slice(p);
                    y[a..].copy_from_slice(q);
                }
            });
    }
}

struct Slice {
    channels: usize,
    start: usize,
    len: usize,
}

impl Kernel for Slice {
    fn run(&self, x: &[&[f32]], y: &mut [f32], _: &mut [f32]) {
        let rows = x[0].chunks_exact(self.channels);
        for (y, x) in y.chunks_exact_mut(self.len).zip(rows) {
            y.copy_from_slice(&x[self.start..][..self.len]);
        }
    }
}

/// Space to depth (`gather`) and back.
struct Blocks {
    factor: usize,
    order: RearrangeOrder,
    /// `[B, fH, fW, C]`, the side with more pixels.
    flat: [usize; 4],
    gather: bool,
}

impl Kernel for Blocks {
    fn run(&self, x: &[&[f32]], y: &mut [f32], _: &mut [f32]) {
        let (f, [_, _, width, c]) = (self.factor, self.flat);
        // f rows of pixels on one side are one row of blocks on the other.
        let len = f * width * c;
        let rows = y.par_chunks_mut(len).zip(x[0].par_chunks(len));
        rows.for_each(|(y, x)| match self.gather {
            true => self.each_pixel(|flat, deep, step| {
                for ch in 0..c {
                    y[deep + ch * step] = x[flat + ch];
                }
            }),
            false => self.each_pixel(|flat, deep, step| {
                for ch in 0..c {
                    y[flat + ch] = x[deep + ch * step];
                }
            }),
        });
    }
}

impl Blocks {
    /// Calls `f(first flat index, first deep index, deep step between channels)` for each pixel
    /// of a row of blocks.
    #[inline(always)]
    fn each_pixel(&self, mut f: impl FnMut(usize, usize, usize)) {
        let (n, [_, _, width, c]) = (self.factor, self.flat);
        for dy in 0..n {
            for x in 0..width {
                let (block, dx) = (x / n, x % n);
                let (offset, step) = match self.order {
                    RearrangeOrder::PixelShuffle => (dy * n + dx, n * n),
                    RearrangeOrder::PatchMerge => ((dx * n + dy) * c, 1),
                };
                f((dy * width + x) * c, block * n * n * c + offset, step);
            }
        }
    }
}
