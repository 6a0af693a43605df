// Gradient of a mean loss: scale = 1/elements, times the gradients' common factor.
//   CHARBONNIER: gp = scale · d / √(d² + ε²), d = p − t;  else gp = scale · sign(d), 0 at 0.
//
// bindings: 1 prediction, 2 expected, 3 gp [count] in V
// layout:   flat
#include index
#include lanes
#include flat

struct Params {
    count: u32,
    scale: f32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> prediction: array<V>;
@group(0) @binding(2) var<storage, read> expected: array<V>;
@group(0) @binding(3) var<storage, read_write> gp: array<V>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    for (var k = 0u; k < FLAT_ITEMS; k++) {
        let i = flat(group, local, k);
        if (i < params.count) {
            let d = prediction[i] - expected[i];
#if CHARBONNIER
            gp[i] = params.scale * d / sqrt(d * d + V(params.epsilon * params.epsilon));
#else
            gp[i] = params.scale * sign(d);
#endif
        }
    }
}
