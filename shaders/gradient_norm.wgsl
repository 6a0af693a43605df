// Norm of the gradient, second stage: adds the partial sums, decides whether
// the step counts, and files the report.
//
// bindings  1: partials [groups] read; 2: loss [1] read;
//           3: verdict [2] write: factor on the gradient (unscaled and clipped), 1 when the step counts else 0;
//           4: reports [capacity] write: (loss, norm) at `slot`
// layout    one workgroup of 256
// numerics  32-bit, fixed order. Finite is read off the exponent's bits, because
//           compilers may assume that comparisons never meet a NaN.

#include step

@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> verdict: array<f32>;
@group(0) @binding(4) var<storage, read_write> reports: array<vec2<f32>>;

var<workgroup> sums: array<f32, 256>;

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var i = lane; i < params.groups; i += 256u) {
        sum += partials[i];
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if lane < half {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    if lane == 0u {
        let square = sums[0];
        let finite = is_finite(square) && is_finite(loss[0]);
        // The root of a NaN is left to no driver's taste.
        var norm = square;
        if is_finite(square) {
            norm = params.unscale * sqrt(square);
        }
        var factor = params.unscale;
        if norm > params.clip_norm {
            factor *= params.clip_norm / norm;
        }
        verdict[0] = factor;
        verdict[1] = select(0.0, 1.0, finite);
        reports[params.slot] = vec2(loss[0], norm);
    }
}
