// y = (x − mean)/√(variance + EPSILON) ⊙ γ + β over the channels of each token;
// with GATE, y ⊙ SiLU(z).
//
// bindings: 1 x [T, CHANNELS], 2 γ [CHANNELS], 3 β [CHANNELS], [4 z as x], last y as x; channels in V
// layout:   ROW_LANES tokens a workgroup, COLUMN_LANES lanes a token, PER_LANE of
//           its channels in each lane's registers, COLUMN_LANES apart
// numerics: the mean first, then the variance of the differences (two passes over
//           registers, one over memory)
#include index
#include lanes
#include token_sum
#if GATE
#include activation
#endif

struct Params {
    tokens: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read> gamma: array<V>;
@group(0) @binding(3) var<storage, read> beta: array<V>;
#if GATE
@group(0) @binding(4) var<storage, read> z: array<S4>;
@group(0) @binding(5) var<storage, read_write> y: array<S5>;

fn gate(v: V) -> V {
#if VEC4
    return V(silu(v.x), silu(v.y), silu(v.z), silu(v.w));
#else
    return silu(v);
#endif
}
#else
@group(0) @binding(4) var<storage, read_write> y: array<S4>;
#endif

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = local % COLUMN_LANES;
    let token = folded(id, num) * ROW_LANES + local / COLUMN_LANES;
    let live = token < params.tokens;

    var row: array<V, PER_LANE>;
    var total = V(0.0);
    for (var k = 0u; k < PER_LANE; k++) {
        let c = lane + k * COLUMN_LANES;
        row[k] = V(0.0);
        if (live && c < CHANNELS) {
            row[k] = V(x[token * CHANNELS + c]);
        }
        total += row[k];
    }
    let count = f32(CHANNELS * WIDTH);
    let mean = token_sum(0u, component_sum(total), local) / count;

    var squares = V(0.0);
    for (var k = 0u; k < PER_LANE; k++) {
        row[k] -= V(mean);
        if (lane + k * COLUMN_LANES < CHANNELS) {
            squares += row[k] * row[k];
        }
    }
    let variance = token_sum(1u, component_sum(squares), local) / count;
    let scale = 1.0 / sqrt(variance + EPSILON);

    for (var k = 0u; k < PER_LANE; k++) {
        let c = lane + k * COLUMN_LANES;
        if (live && c < CHANNELS) {
            let n = row[k] * scale * gamma[c] + beta[c];
#if GATE
            y[token * CHANNELS + c] = narrow5(n * gate(V(z[token * CHANNELS + c])));
#else
            y[token * CHANNELS + c] = narrow4(n);
#endif
        }
    }
}
