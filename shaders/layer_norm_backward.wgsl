// With x̂ = (x − mean)·r, r = 1/√(variance + EPSILON), g = gy ⊙ γ:
//   gx = r·(g − mean(g) − x̂·mean(g ⊙ x̂)) [+ added, with ACCUMULATE]
// and this workgroup's sums of gγ = Σ gy ⊙ x̂ and gβ = Σ gy over its tokens.
// mean and r are computed again from x.
//
// bindings: 1 x [T, CHANNELS], 2 γ [CHANNELS], 3 gy as x, [4 added as x], then gx as x,
//           partial gγ and partial gβ [groups, CHANNELS]; channels in V
// layout:   as layer_norm; workgroups stride over blocks of ROW_LANES tokens, the
//           sums of γ and β stay in registers and are folded once at the end
#include index
#include lanes
#include token_sum
#include fold_rows

struct Params {
    tokens: u32,
    groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S1>;
@group(0) @binding(2) var<storage, read> gamma: array<V>;
@group(0) @binding(3) var<storage, read> gy: array<S3>;
#if ACCUMULATE
@group(0) @binding(4) var<storage, read> added: array<S4>;
@group(0) @binding(5) var<storage, read_write> gx: array<S5>;
@group(0) @binding(6) var<storage, read_write> gamma_partials: array<V>;
@group(0) @binding(7) var<storage, read_write> beta_partials: array<V>;
#else
@group(0) @binding(4) var<storage, read_write> gx: array<S4>;
@group(0) @binding(5) var<storage, read_write> gamma_partials: array<V>;
@group(0) @binding(6) var<storage, read_write> beta_partials: array<V>;
#endif

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    let lane = local % COLUMN_LANES;
    let count = f32(CHANNELS * WIDTH);
    var gamma_sum: array<V, PER_LANE>;
    var beta_sum: array<V, PER_LANE>;
    for (var k = 0u; k < PER_LANE; k++) {
        gamma_sum[k] = V(0.0);
        beta_sum[k] = V(0.0);
    }

    // The same number of turns for every lane of the workgroup: barriers inside.
    for (var first = group * ROW_LANES; first < params.tokens; first += params.groups * ROW_LANES) {
        let token = first + local / COLUMN_LANES;
        let live = token < params.tokens;
        var row: array<V, PER_LANE>;
        var grad: array<V, PER_LANE>;
        var total = V(0.0);
        for (var k = 0u; k < PER_LANE; k++) {
            let c = lane + k * COLUMN_LANES;
            row[k] = V(0.0);
            grad[k] = V(0.0);
            if (live && c < CHANNELS) {
                row[k] = V(x[token * CHANNELS + c]);
                grad[k] = V(gy[token * CHANNELS + c]);
            }
            total += row[k];
        }
        let mean = token_sum(0u, component_sum(total), local) / count;

        var squares = V(0.0);
        var weighted = V(0.0);
        var products = V(0.0);
        for (var k = 0u; k < PER_LANE; k++) {
            let c = lane + k * COLUMN_LANES;
            if (c < CHANNELS) {
                row[k] -= V(mean);
                let g = grad[k] * gamma[c];
                squares += row[k] * row[k];
                weighted += g;
                products += g * row[k];
            }
        }
        let sums = vec3<f32>(component_sum(squares), component_sum(weighted), component_sum(products));
        // Means of (x − mean)², g and g ⊙ (x − mean).
        let means = token_sum3(1u, sums, local) / count;
        let scale = 1.0 / sqrt(means.x + EPSILON);

        for (var k = 0u; k < PER_LANE; k++) {
            let c = lane + k * COLUMN_LANES;
            if (live && c < CHANNELS) {
                let normal = row[k] * scale;
                let at = token * CHANNELS + c;
                let g = scale * (grad[k] * gamma[c] - V(means.y) - normal * (scale * means.z));
#if ACCUMULATE
                gx[at] = narrow5(g + V(added[at]));
#else
                gx[at] = narrow4(g);
#endif
                gamma_sum[k] += grad[k] * normal;
                beta_sum[k] += grad[k];
            }
        }
    }

    for (var k = 0u; k < PER_LANE; k++) {
        let c = lane + k * COLUMN_LANES;
        let gamma_total = fold_rows(gamma_sum[k], local);
        let beta_total = fold_rows(beta_sum[k], local);
        if (group < params.groups && local < COLUMN_LANES && c < CHANNELS) {
            gamma_partials[group * CHANNELS + c] = gamma_total;
            beta_partials[group * CHANNELS + c] = beta_total;
        }
    }
}
