// Sum of squares of the flat gradient, first stage: one partial sum a workgroup.
//
// bindings  1: gradients [quads] read; 2: partials [groups] write
// layout    `groups` workgroups of 256; each invocation strides over the quads
// numerics  32-bit; the order of additions depends on sizes only, so that the
//           same gradients give the same bits

#include step

@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var sum = 0.0;
    for (var i = group.x * 256u + lane; i < params.quads; i += params.groups * 256u) {
        let g = gradients[i];
        sum += dot(g, g);
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
        partials[group.x] = sums[0];
    }
}
