//! The selective scan: sequential along each direction, vectorised over channels.
//!
//! A task owns a block of channels of one picture and runs its directions one after the
//! other, adding to `y` where it stands. When there are fewer blocks than threads, row and
//! column directions become separate tasks with their own sums, which are added at the end.

use rayon::prelude::*;

use super::simd::{Lanes, WIDTH, clones, exp2, load, mul_add, prefetch, prefetch_at, softplus};
use super::{Kernel, Site};
use crate::graph::ScanSpec;

/// Most states a channel may have: the states of a block live on the stack.
const MAX_STATES: usize = 64;

/// Tokens between the one that is computed and the one that is fetched into the cache.
const AHEAD: isize = 8;

/// Tokens whose Δ are computed before the states go through them: Δ takes long but depends on no
/// other token, so a processor makes several at once, as it cannot between one state and the next.
const BATCH: usize = 8;

struct Scan {
    spec: ScanSpec,
    pictures: usize,
    height: usize,
    width: usize,
    channels: usize,
    /// Parameters for each direction and block of channels, lanes past the last channel zero.
    blocks: Vec<Block>,
    /// Σ_k D_k.
    skip: Vec<f32>,
    /// Whether row and column directions are separate tasks.
    split: bool,
}

/// One direction's parameters of one block of channels.
struct Block {
    b_dt: Lanes,
    /// One vector for each of the R inputs of Δ.
    w_dt: Vec<Lanes>,
    /// A_n·log₂e; only A_1 when tied.
    decay: Vec<Lanes>,
}

pub(super) fn kernel(site: &Site<'_>, spec: ScanSpec) -> Option<Box<dyn Kernel>> {
    let [pictures, height, width, channels] = site.bhwc(0);
    let (w_dt, b_dt) = (site.weight(2)?, site.weight(3)?);
    let (a_log, d) = (site.weight(4)?, site.weight(5)?);
    if spec.states > MAX_STATES {
        return None;
    }
    let decays = if spec.tied { 1 } else { spec.states };
    let mut blocks = Vec::new();
    for k in 0..spec.directions {
        for first in (0..channels).step_by(WIDTH) {
            // A parameter with `stride` values a channel, the `i`-th of each.
            let lanes = |x: &[f32], stride: usize, i: usize, f: &dyn Fn(f32) -> f32| -> Lanes {
                std::array::from_fn(|l| match first + l < channels {
                    true => f(x[(k * channels + first + l) * stride + i]),
                    false => 0.0,
                })
            };
            blocks.push(Block {
                b_dt: lanes(b_dt, 1, 0, &|x| x),
                w_dt: (0..spec.rank)
                    .map(|r| lanes(w_dt, spec.rank, r, &|x| x))
                    .collect(),
                decay: (0..decays)
                    .map(|n| lanes(a_log, decays, n, &|x| -x.exp() * std::f32::consts::LOG2_E))
                    .collect(),
            });
        }
    }
    let tasks = pictures * channels.div_ceil(WIDTH);
    Some(Box::new(Scan {
        spec,
        pictures,
        height,
        width,
        channels,
        blocks,
        skip: (0..channels)
            .map(|c| d.iter().skip(c).step_by(channels).sum())
            .collect(),
        split: spec.directions > 1 && tasks < rayon::current_num_threads(),
    }))
}

impl Kernel for Scan {
    fn scratch(&self) -> usize {
        match self.split {
            true => self.pictures * self.height * self.width * self.channels,
            false => 0,
        }
    }

    fn run(&self, x: &[&[f32]], y: &mut [f32], scratch: &mut [f32]) {
        let blocks = self.channels.div_ceil(WIDTH);
        let axes = 1 + usize::from(self.split);
        let sums = [
            Sums(y.as_mut_ptr(), y.len()),
            Sums(scratch.as_mut_ptr(), scratch.len()),
        ];
        (0..self.pictures * blocks * axes)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|task| {
                let (axis, rest) = (task % axes, task / axes);
                let (block, picture) = (rest % blocks, rest / blocks);
                let mut add = false;
                for k in (axis..self.spec.directions).step_by(axes) {
                    let lane = Lane::new(self, x, picture, block, k, add);
                    scan_lane(&lane, &sums[axis]);
                    add = true;
                }
            });
        if self.split {
            let parts = y.par_chunks_mut(16_384).zip(scratch.par_chunks(16_384));
            parts.for_each(|(y, s)| y.iter_mut().zip(s).for_each(|(y, s)| *y += s));
        }
    }
}

/// A buffer that tasks write to at their own channels.
struct Sums(*mut f32, usize);

// SAFETY: tasks that share a buffer write disjoint elements: each its own picture and channels.
unsafe impl Sync for Sums {}

/// One direction of one block of channels of one picture.
struct Lane<'a> {
    block: &'a Block,
    spec: ScanSpec,
    /// Values of the picture, from the block's first channel on.
    v: &'a [f32],
    /// Distance between a channel's values at neighbouring pixels.
    channels: usize,
    /// Channels in the block.
    lanes: usize,
    /// Projections of the picture, from the direction's first on.
    p: &'a [f32],
    /// Distance between projections of neighbouring pixels.
    stride: usize,
    /// Index in the whole buffer of the first value of `v`.
    offset: usize,
    /// Whether to add to the sums rather than start them.
    add: bool,
    /// Σ_k D_k where this lane is the one that adds it.
    skip: Lanes,
    /// First pixel; numbers of lines and of pixels in each; steps between them.
    start: usize,
    counts: [usize; 2],
    steps: [isize; 2],
}

impl<'a> Lane<'a> {
    fn new(
        scan: &'a Scan,
        x: &[&'a [f32]],
        picture: usize,
        block: usize,
        k: usize,
        add: bool,
    ) -> Self {
        let (h, w, c) = (scan.height, scan.width, scan.channels);
        let first = block * WIDTH;
        let lanes = WIDTH.min(c - first);
        let stride = scan.spec.directions * scan.spec.projected();
        let offset = picture * h * w * c + first;
        let (counts, steps) = match k % 2 {
            0 => ([h, w], [w as isize, 1]),
            _ => ([w, h], [1, w as isize]),
        };
        let reversed = scan.spec.direction(k) >= 2;
        Self {
            block: &scan.blocks[k * c.div_ceil(WIDTH) + block],
            spec: scan.spec,
            v: &x[0][offset..],
            channels: c,
            lanes,
            p: &x[1][picture * h * w * stride + k * scan.spec.projected()..],
            stride,
            offset,
            add,
            skip: match k {
                0 => load(&scan.skip, first, lanes),
                _ => [0.0; WIDTH],
            },
            start: if reversed { h * w - 1 } else { 0 },
            counts,
            steps: if reversed { steps.map(|s| -s) } else { steps },
        }
    }
}

clones! {
    /// Runs the recurrence along the lane.
    fn scan_lane(lane: &Lane<'_>, y: &Sums) = scan_lane_body;
}

#[inline(always)]
fn scan_lane_body<const FMA: bool>(lane: &Lane<'_>, y: &Sums) {
    match (lane.spec.tied, lane.lanes == WIDTH, lane.spec.states) {
        (false, true, 8) => recurrence::<FMA, false, true, 8>(lane, y),
        (false, true, 16) => recurrence::<FMA, false, true, 16>(lane, y),
        (true, true, 8) => recurrence::<FMA, true, true, 8>(lane, y),
        (false, ..) => recurrence::<FMA, false, false, 0>(lane, y),
        (true, ..) => recurrence::<FMA, true, false, 0>(lane, y),
    }
}

/// `N` is the number of states, or 0 for any; `FULL` says that all lanes are channels.
#[inline(always)]
fn recurrence<const FMA: bool, const TIED: bool, const FULL: bool, const N: usize>(
    lane: &Lane<'_>,
    y: &Sums,
) {
    let states = if N > 0 { N } else { lane.spec.states };
    let lanes = if FULL { WIDTH } else { lane.lanes };
    let rank = lane.spec.rank;
    let decay = &lane.block.decay[..if TIED { 1 } else { states }];
    let mut storage = [[0.0; WIDTH]; MAX_STATES];
    let h = &mut storage[..states];
    let mut untied = [[0.0; WIDTH]; MAX_STATES];
    let decays = &mut untied[..states];
    let mut tokens = [Token::default(); BATCH];
    let mut line = lane.start as isize;
    for _ in 0..lane.counts[0] {
        let mut pixel = line;
        let mut left = lane.counts[1];
        while left > 0 {
            let batch = &mut tokens[..left.min(BATCH)];
            left -= batch.len();
            let mut at = pixel;
            for token in batch.iter_mut() {
                *token = Token::of::<FMA>(lane, at, y.0, lanes);
                at += lane.steps[1];
            }
            for token in batch.iter() {
                let at = pixel as usize;
                let bc = &lane.p[at * lane.stride + rank..][..2 * states];
                let (b, c) = bc.split_at(states);
                let Token { delta, input, sum } = token;
                let mut sum = *sum;
                let mut first = [0.0; WIDTH];
                let mut power = [1.0; WIDTH];
                if TIED {
                    for l in 0..WIDTH {
                        first[l] = exp2::<FMA>(delta[l] * decay[0][l]);
                    }
                } else {
                    // In a loop of its own, so that the constants of exp2 stay in registers.
                    for n in 0..states {
                        for l in 0..WIDTH {
                            decays[n][l] = exp2::<FMA>(delta[l] * decay[n][l]);
                        }
                    }
                }
                for n in 0..states {
                    let h = &mut h[n];
                    for l in 0..WIDTH {
                        let a = if TIED {
                            power[l] *= first[l];
                            power[l]
                        } else {
                            decays[n][l]
                        };
                        h[l] = mul_add::<FMA>(a, h[l], input[l] * b[n]);
                        sum[l] = mul_add::<FMA>(h[l], c[n], sum[l]);
                    }
                }
                let to = lane.offset + at * lane.channels;
                assert!(to + lanes <= y.1);
                // SAFETY: in bounds by the assert; no other task touches these channels.
                let y = unsafe { std::slice::from_raw_parts_mut(y.0.add(to), lanes) };
                for (l, y) in y.iter_mut().enumerate() {
                    *y = if lane.add { *y + sum[l] } else { sum[l] };
                }
                pixel += lane.steps[1];
            }
        }
        line += lane.steps[0];
    }
}

/// What a token is before any state is known.
#[derive(Clone, Copy, Default)]
struct Token {
    /// Δ
    delta: Lanes,
    /// Δ·v
    input: Lanes,
    /// What is added to the states' sum: D·v.
    sum: Lanes,
}

impl Token {
    /// The token at pixel `at`; the one [`AHEAD`] of it is asked for.
    #[inline(always)]
    fn of<const FMA: bool>(lane: &Lane<'_>, at: isize, y: *const f32, lanes: usize) -> Self {
        // Along columns every token lies on lines of its own.
        let ahead = at + AHEAD * lane.steps[1];
        prefetch(lane.v, ahead * lane.channels as isize);
        prefetch(lane.p, ahead * lane.stride as isize);
        prefetch(lane.p, ahead * lane.stride as isize + WIDTH as isize);
        if lane.add {
            prefetch_at(y, lane.offset as isize + ahead * lane.channels as isize);
        }
        let at = at as usize;
        let v = load(lane.v, at * lane.channels, lanes);
        let r = &lane.p[at * lane.stride..][..lane.spec.rank];
        let mut delta = lane.block.b_dt;
        for (w, r) in lane.block.w_dt.iter().zip(r) {
            for l in 0..WIDTH {
                delta[l] = mul_add::<FMA>(w[l], *r, delta[l]);
            }
        }
        let mut input = [0.0; WIDTH];
        let mut sum = [0.0; WIDTH];
        for l in 0..WIDTH {
            delta[l] = softplus::<FMA>(delta[l]);
            input[l] = delta[l] * v[l];
            sum[l] = lane.skip[l] * v[l];
        }
        Self { delta, input, sum }
    }
}
