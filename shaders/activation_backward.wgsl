// gx = gy · f'(x), f named by ACTIVATION.
//
// bindings: 1 x, 2 gy, 3 gx [count] in V
// layout:   flat
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
            gx[i] = narrow3(V(gy[i]) * derivative(V(x[i])));
        }
    }
}
