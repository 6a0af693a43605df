// The gradients of the scan's weights, apart: the row summed over all chunks,
// in the order scan_backward leaves it.
//
// bindings: 1 row [K·D·(R+1+A+1)], 2 gw_dt [K, D, R], 3 gb_dt [K, D],
//           4 ga_log [K, D, A], 5 gd [K, D]; A = N, or 1 with tied decays
// layout:   256 lanes, one element each
// numerics: none, a copy
#include index

struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> row: array<f32>;
@group(0) @binding(2) var<storage, read_write> gw_dt: array<f32>;
@group(0) @binding(3) var<storage, read_write> gb_dt: array<f32>;
@group(0) @binding(4) var<storage, read_write> ga_log: array<f32>;
@group(0) @binding(5) var<storage, read_write> gd: array<f32>;

const CHANNELS: u32 = K * D;
#if TIED
const A: u32 = 1u;
#else
const A: u32 = N;
#endif

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
    let value = row[i];
    if (i < CHANNELS * R) {
        gw_dt[i] = value;
    } else if (i < CHANNELS * (R + 1u)) {
        gb_dt[i - CHANNELS * R] = value;
    } else if (i < CHANNELS * (R + 1u + A)) {
        ga_log[i - CHANNELS * (R + 1u)] = value;
    } else {
        gd[i - CHANNELS * (R + 1u + A)] = value;
    }
}
