// Pass 1 of the selective scan: every chunk alone, from a zero state.
//
// Each lane runs one channel through its chunk in the direction's order and
// keeps the state at the end, h = Σ_t (Π_{s>t} a_s) Δ_t v_t B_t, and ΣΔ: the chunk's decay is
// exp(A·ΣΔ). With BACKWARD also what the chunk hands to the one before it in
// the reverse scan, u = Σ_t (Π_{s≤t} a_s) g_t C_t, in the same sweep by the
// running product of the decays.
//
// bindings: 1 v [batch, tokens, D], 2 p [batch, tokens, K·(R+2N)], 3 weights [K, SLOTS, D],
//           4 states [1 or 2, batch, K, chunks, NV, D] vec4, 5 sums [batch, K, chunks, D],
//           6 gy like v (BACKWARD)
// layout:   a workgroup is GROUP_CHUNKS chunks × CHANNEL_LANES channels of one
//           direction; a direction and its reverse, which read the same tokens,
//           are neighbouring workgroups
// numerics: 32-bit, in the order of the tokens
#include index
#if BACKWARD
const STAGED: u32 = RV + 2u * NV;
#else
const STAGED: u32 = RV + NV;
#endif
#include scan

@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> states: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;
#if BACKWARD
@group(0) @binding(6) var<storage, read> gy: array<f32>;
#endif

// v, and gy, of a token; loaded a token ahead.
fn load(w: Walk) -> vec2<f32> {
    var x = vec2<f32>(0.0);
    if (w.live) {
        x.x = v[w.at];
#if BACKWARD
        x.y = gy[w.at];
#endif
    }
    return x;
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var group = folded(id, num);
    let channel_block = group % CHANNEL_BLOCKS;
    group /= CHANNEL_BLOCKS;
    let turn = group % K;
    group /= K;
    let chunk_group = group % params.chunk_groups;
    let batch = group / params.chunk_groups;
    if (batch >= params.batch) {
        return;
    }
    // Four directions in the order 0, 2, 1, 3.
    var k = turn;
    if (K == 4u) {
        k = (turn >> 1u) | ((turn & 1u) << 1u);
    }
    let columns = (k & 1u) == 1u;
    let reverse = k >= 2u;
    let l = lane_of(batch, chunk_group, channel_block, local);
    let c = channel_of(k, l);
    let start = l.chunk * params.chunk;

    var sum = 0.0;
#for I NV
    var h$I = vec4<f32>(0.0);
#if BACKWARD
    var u$I = vec4<f32>(0.0);
    var product$I = vec4<f32>(1.0);
#endif
#endfor
    var w = walk_start(l, start + select(0u, params.chunk - 1u, reverse), columns, reverse);
    var next = load(w);
    for (var done = 0u; done < params.chunk; done += SUB) {
        stage_rows(k, batch, chunk_group, select(done, params.chunk - SUB - done, reverse), local);
        for (var j = 0u; j < SUB; j++) {
            let x = next;
            let there = w.place < params.tokens;
            w = walk_next(w, l, columns, reverse);
            w.live = w.live && done + j + 1u < params.chunk;
            next = load(w);
            let row = (l.place * SUB + select(j, SUB - 1u - j, reverse)) * STAGED;
            let delta = select(0.0, delta_of(delta_input(c, row)), there);
            let input = delta * x.x;
            let d = decays(c, delta);
            sum += delta;
#for I NV
            h$I = d.a$I * h$I + input * rows[row + RV + $Iu];
#if BACKWARD
            product$I *= d.a$I;
            u$I += product$I * (x.y * rows[row + RV + NV + $Iu]);
#endif
#endfor
        }
    }
    if (!l.live) {
        return;
    }
    sums[((batch * K + k) * params.chunks + l.chunk) * D + l.channel] = sum;
#for I NV
    states[state_index(0u, k, l) + $Iu * D] = h$I;
#if BACKWARD
    states[state_index(1u, k, l) + $Iu * D] = u$I;
#endif
#endfor
}
