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

var<workgroup> g_tile: array<f32, SUB * LANES>;
#endif

// A lane reads only its own column: no barrier of its own.
var<workgroup> v_tile: array<f32, SUB * LANES>;

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

    var h: array<vec4<f32>, NV>;
    var sum = 0.0;
#if BACKWARD
    var u: array<vec4<f32>, NV>;
    var product: array<vec4<f32>, NV>;
    for (var i = 0u; i < NV; i++) {
        product[i] = vec4<f32>(1.0);
    }
#endif
    for (var done = 0u; done < params.chunk; done += SUB) {
        let offset = select(done, params.chunk - SUB - done, reverse);
        let first = l.chunk * params.chunk + offset;
        workgroupBarrier();
        stage_rows(k, batch, chunk_group, offset, local);
        var w = walk_to(first, columns);
        for (var s = 0u; s < SUB; s++) {
            let there = l.live && first + s < params.tokens;
            let at = (batch * params.tokens + w.token) * D + l.channel;
            var x = 0.0;
            if (there) { x = v[at]; }
            v_tile[s * LANES + local] = x;
#if BACKWARD
            var g = 0.0;
            if (there) { g = gy[at]; }
            g_tile[s * LANES + local] = g;
#endif
            w = walk_next(w, columns);
        }
        workgroupBarrier();
        for (var j = 0u; j < SUB; j++) {
            let s = select(j, SUB - 1u - j, reverse);
            let row = (l.place * SUB + s) * STAGED;
            let delta = select(0.0, delta_of(delta_input(c, row)), first + s < params.tokens);
            let input = delta * v_tile[s * LANES + local];
            var a = decays(c, delta);
            sum += delta;
            for (var i = 0u; i < NV; i++) {
                h[i] = a[i] * h[i] + input * rows[row + RV + i];
            }
#if BACKWARD
            let g = g_tile[s * LANES + local];
            for (var i = 0u; i < NV; i++) {
                product[i] *= a[i];
                u[i] += product[i] * (g * rows[row + RV + NV + i]);
            }
#endif
        }
    }
    if (!l.live) {
        return;
    }
    sums[((batch * K + k) * params.chunks + l.chunk) * D + l.channel] = sum;
    for (var i = 0u; i < NV; i++) {
        states[state_index(0u, k, l) + i * D] = h[i];
#if BACKWARD
        states[state_index(1u, k, l) + i * D] = u[i];
#endif
    }
}
