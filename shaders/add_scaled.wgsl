// y[t, c] = x[t, c] + s[c] · f[t, c].
//
// bindings: 1 x, 2 f [T, CHANNELS], 3 s [CHANNELS], 4 y [T, CHANNELS] in V
// layout:   flat
#include index
#include lanes
#include flat

struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read> f: array<S2>;
@group(0) @binding(3) var<storage, read> s: array<V>;
@group(0) @binding(4) var<storage, read_write> y: array<S4>;

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
            y[i] = narrow4(V(x[i]) + s[i % CHANNELS] * V(f[i]));
        }
    }
}
