// y[t] = [a[t]; b[t]].
//
// bindings: 1 a [T, FIRST], 2 b [T, SECOND], 3 y [T, FIRST + SECOND] in V
// layout:   flat over y
#include index
#include lanes
#include flat

struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<S1>;
@group(0) @binding(2) var<storage, read> b: array<S2>;
@group(0) @binding(3) var<storage, read_write> y: array<S3>;

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
            let token = i / (FIRST + SECOND);
            let c = i % (FIRST + SECOND);
            if (c < FIRST) {
                y[i] = narrow3(V(a[token * FIRST + c]));
            } else {
                y[i] = narrow3(V(b[token * SECOND + c - FIRST]));
            }
        }
    }
}
