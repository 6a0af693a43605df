// The scan's weights, side by side for neighbouring channels: w_dt, b_dt, d and
// A·log2(e) = -exp(a_log)·log2(e), so that a decay is one exp2.
//
// bindings: 1 w_dt [K, D, R], 2 b_dt [K, D], 3 a_log [K, D, A], 4 d [K, D],
//           5 weights [K, R+2+A, D]; A = N, or 1 with tied decays
// layout:   256 lanes, one element of `weights` each
// numerics: 32-bit
#include index

struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> w_dt: array<f32>;
@group(0) @binding(2) var<storage, read> b_dt: array<f32>;
@group(0) @binding(3) var<storage, read> a_log: array<f32>;
@group(0) @binding(4) var<storage, read> d: array<f32>;
@group(0) @binding(5) var<storage, read_write> weights: array<f32>;

#if TIED
const A: u32 = 1u;
#else
const A: u32 = N;
#endif
const SLOTS: u32 = R + 2u + A;
const LOG2_E: f32 = 1.442695041;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = folded(id, num) * 256u + local;
    if (i >= params.count) {
        return;
    }
    let slot = (i / D) % SLOTS;
    let channel = i / (D * SLOTS) * D + i % D;
    if (slot < R) {
        weights[i] = w_dt[channel * R + slot];
    } else if (slot == R) {
        weights[i] = b_dt[channel];
    } else if (slot == R + 1u) {
        weights[i] = d[channel];
    } else {
        weights[i] = -exp(a_log[channel * A + slot - R - 2u]) * LOG2_E;
    }
}
