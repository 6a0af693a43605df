// With x̂ = (x − mean)·r, r = 1/√(variance + EPSILON), g = gy ⊙ γ:
//   gx = r·(g − mean(g) − x̂·mean(g ⊙ x̂)) [+ added, with ACCUMULATE]
// and this workgroup's sums of gγ = Σ gy ⊙ x̂ and gβ = Σ gy over its tokens.
// mean and r are computed again from x. A token of which some x was too large for 16 bits has
// gx 0: in 32 bits its r would be next to nothing (a scan's result, whose size the norm hides, may
// grow so far). With PAIR gy is the sum of two. With GATE the result was n ⊙ SiLU(z),
// n = x̂ ⊙ γ + β: gy ⊙ SiLU(z) stands for gy above, and
//   gz = gy ⊙ n ⊙ SiLU'(z)
//
// bindings: 1 x [T, CHANNELS], 2 γ [CHANNELS], 3 gx as x, 4 partial sums [groups, gγ then gβ], 5 gy as x,
//           [gy2 as x], [added as x], or with GATE 6 β [CHANNELS], 7 z as x, 8 gz as x; channels in V
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
@group(0) @binding(3) var<storage, read_write> gx: array<S3>;
@group(0) @binding(4) var<storage, read_write> partials: array<V>;
@group(0) @binding(5) var<storage, read> gy: array<S5>;
#if PAIR
@group(0) @binding(6) var<storage, read> gy2: array<S6>;
#if ACCUMULATE
@group(0) @binding(7) var<storage, read> added: array<S7>;
#endif
#else
#if ACCUMULATE
@group(0) @binding(6) var<storage, read> added: array<S6>;
#endif
#endif
#if GATE
#include lane_activation
@group(0) @binding(6) var<storage, read> beta: array<V>;
@group(0) @binding(7) var<storage, read> z: array<S7>;
@group(0) @binding(8) var<storage, read_write> gz: array<S8>;
#endif

// The gradient of the norm's result.
fn gradient(at: u32) -> V {
#if PAIR
    return V(gy[at]) + V(gy2[at]);
#else
#if GATE
    return V(gy[at]) * activate(V(z[at]));
#else
    return V(gy[at]);
#endif
#endif
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let group = folded(id, num);
    let lane = local % COLUMN_LANES;
    let count = f32(CHANNELS * WIDTH);
#for K PER_LANE
    var gamma_sum$K = V(0.0);
    var beta_sum$K = V(0.0);
#endfor

    // The same number of turns for every lane of the workgroup: barriers inside.
    for (var first = group * ROW_LANES; first < params.tokens; first += params.groups * ROW_LANES) {
        let token = first + local / COLUMN_LANES;
        let live = token < params.tokens;
        var total = V(0.0);
#if HALF1
        var saturated = V(0.0);
#endif
        // Loads stand in no branch, so that they are in flight together.
        let start = min(token, params.tokens - 1u) * CHANNELS;
#for K PER_LANE
        let c$K = lane + $Ku * COLUMN_LANES;
        let at$K = start + min(c$K, CHANNELS - 1u);
        let here$K = live && c$K < CHANNELS;
        var row$K = select(V(0.0), V(x[at$K]), here$K);
#if HALF1
        saturated += select(V(0.0), V(1.0), abs(row$K) >= V(65504.0));
#endif
        let grad$K = select(V(0.0), gradient(at$K), here$K);
#if ACCUMULATE
        let more$K = V(added[at$K]);
#endif
        total += row$K;
#endfor
        let mean = token_sum(0u, component_sum(total), local) / count;

        var squares = V(0.0);
        var weighted = V(0.0);
        var products = V(0.0);
#for K PER_LANE
        if (c$K < CHANNELS) {
            row$K -= V(mean);
            let g = grad$K * gamma[c$K];
            squares += row$K * row$K;
            weighted += g;
            products += g * row$K;
        }
#endfor
        let sums = vec3<f32>(component_sum(squares), component_sum(weighted), component_sum(products));
        // Means of (x − mean)², g and g ⊙ (x − mean).
        let means = token_sum3(1u, sums, local) / count;
        let scale = 1.0 / sqrt(means.x + EPSILON);
#if HALF1
        let passes = token_sum(4u, component_sum(saturated), local) == 0.0;
        let outer = select(0.0, scale, passes);
#else
        let outer = scale;
#endif

#for K PER_LANE
        if (here$K) {
            let normal = row$K * scale;
            let g = outer * (grad$K * gamma[c$K] - V(means.y) - normal * (scale * means.z));
#if ACCUMULATE
            gx[at$K] = narrow3(g + more$K);
#else
            gx[at$K] = narrow3(g);
#endif
#if GATE
            // Read again rather than kept: it is still near.
            let n = normal * gamma[c$K] + beta[c$K];
            gz[at$K] = narrow8(V(gy[at$K]) * n * derivative(V(z[at$K])));
#endif
            gamma_sum$K += grad$K * normal;
            beta_sum$K += grad$K;
        }
#endfor
    }

#for K PER_LANE
    {
        let c = lane + $Ku * COLUMN_LANES;
        let gamma_total = fold_rows(gamma_sum$K, local);
        let beta_total = fold_rows(beta_sum$K, local);
        if (group < params.groups && local < COLUMN_LANES && c < CHANNELS) {
            partials[2u * group * CHANNELS + c] = gamma_total;
            partials[(2u * group + 1u) * CHANNELS + c] = beta_total;
        }
    }
#endfor
}
