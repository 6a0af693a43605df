// One sum a workgroup of the terms of a loss, d = p − t:
//   CHARBONNIER: √(d² + ε²);  else |d|. The mean is made by reduce_rows.
//
// bindings: 1 prediction, 2 expected [count] in V, 3 partials [groups] (f32)
// layout:   flat in strides of all workgroups; 256 lanes' sums pairwise
#include index
#include lanes

struct Params {
    count: u32,
    groups: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> prediction: array<V>;
@group(0) @binding(2) var<storage, read> expected: array<V>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    var total = 0.0;
    if (group < params.groups) {
        for (var i = group * 256u + local; i < params.count; i += params.groups * 256u) {
            let d = prediction[i] - expected[i];
#if CHARBONNIER
            total += component_sum(sqrt(d * d + V(params.epsilon * params.epsilon)));
#else
            total += component_sum(abs(d));
#endif
        }
    }
    sums[local] = total;
    workgroupBarrier();
    for (var lanes = 128u; lanes > 0u; lanes = lanes >> 1u) {
        if (local < lanes) {
            sums[local] = sums[local] + sums[local + lanes];
        }
        workgroupBarrier();
    }
    if (local == 0u && group < params.groups) {
        partials[group] = sums[0];
    }
}
