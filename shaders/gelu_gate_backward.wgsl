// gx[t, c] = gy ⊙ x[t, E + c] ⊙ GELU'(x[t, c]), gx[t, E + c] = gy ⊙ GELU(x[t, c]). ACTIVATION is 2.
//
// bindings: 1 x [T, 2·CHANNELS], 2 gy [T, CHANNELS], 3 gx [T, 2·CHANNELS] in V, count = T·CHANNELS
// layout:   flat over gy
#include index
#include lane_activation
#include flat

struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read> gy: array<S2>;
@group(0) @binding(3) var<storage, read_write> gx: array<S3>;

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
            let at = i + (i / CHANNELS) * CHANNELS;
            let g = V(gy[i]);
            let a = V(x[at]);
            gx[at] = narrow3(g * V(x[at + CHANNELS]) * derivative(a));
            gx[at + CHANNELS] = narrow3(g * activate(a));
        }
    }
}
