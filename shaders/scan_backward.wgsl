// Last pass of the scan's backward: every chunk again, in both ways.
//
// With h the states, q_t = g_t C_t + u_{t+1}, u_t = a_t q_t, m_t = a_t h_{t-1}:
//   sweep 1 (in order): gC = Σ_d g h, e_t = Σ_n A g C m
//   sweep 2 (from the end): gB = Σ_d q Δ v, gv = Δ Σ_n q B + d g,
//     Z_t = Σ_n A q_t m_t by Z_t = Z_{t+1} + e_t - Δ v Σ_n A u_{t+1} B, Z_end = Σ_n A u_end h_end,
//     gΔ = v Σ_n q B + Z, times softplus' for gr, gw_dt, gb_dt
// so that no state is kept for a second look, only e. With tied decays, A_n = n A_1, also
//     A_1 gA_1 = Σ_t Δ Z
// and else sweep 1 has A gA = Σ_t g C s + u_end s_end, s_t = A ∂h_t/∂A.
//
// bindings: 1 v, 2 p, 3 weights (see scan_emit), 4 gy like v,
//           5 states [2, batch, K, chunks, 4·NV, D]: h at the starts, u at the ends,
//           6 partials [batch, chunks, K·D·(R+1+A+1)] (gw_dt, gb_dt, ga_log, gd),
//             then e [batch, tokens in this order, D], a lane's channels DC apart,
//           7 gv like v, 8 gp [CHANNEL_BLOCKS, batch, tokens, K·(R+2N)]
// layout:   as scan_emit; with SUBGROUP, lanes are numbered along subgroups of that size
// numerics: 32-bit, fixed order; v, p, gy, gv, gp in 16 bits where HALF; the terms of Z
//           vanish with the decays, its error ends with the chunk
#include index
const STAGED: u32 = RV + 2u * NV;
#include scan
#include scan_decays
#if SUBGROUP
#include scan_fold
#else
#include scan_sums
#endif
#include scan_rows_out

@group(0) @binding(1) var<storage, read> v: array<S1>;
@group(0) @binding(2) var<storage, read> p: array<P2>;
@group(0) @binding(3) var<storage, read> weights: array<C>;
@group(0) @binding(4) var<storage, read> gy: array<S4>;
@group(0) @binding(5) var<storage, read> states: array<C>;
@group(0) @binding(6) var<storage, read_write> work: array<f32>;
@group(0) @binding(7) var<storage, read_write> gv: array<S7>;
@group(0) @binding(8) var<storage, read_write> gp: array<P8>;

const A: u32 = SLOTS - R - 2u;
const LN_2: f32 = 0.69314718;

// v, gy of a token as they are stored; in sweep 2 also e and what gv has already. Loaded
// BATCH tokens ahead, whatever for none.
struct Token {
    v: S1,
    gy: S4,
    gv: S7,
    e: C,
    at: u32,
    index: u32,
    live: bool,
}

fn load(w: Walk, l: Lane, e_at: u32, second: bool, adds: bool) -> Token {
    var x: Token;
    x.live = w.index < l.count;
    x.index = w.index;
    x.at = select(0u, w.at, x.live);
    x.v = v[x.at];
    x.gy = gy[x.at];
    if (second) {
        let at = select(0u, e_at + w.index * D, x.live);
#if PAIR
        x.e = C(work[at], work[at + DC]);
#else
        x.e = work[at];
#endif
        if (adds) { x.gv = gv[x.at]; }
    }
    return x;
}

// Puts a lane's values for its channels `stride` apart.
fn put(at: u32, stride: u32, x: C) {
#if PAIR
    work[at] = x.x;
    work[at + stride] = x.y;
#else
    work[at] = x;
#endif
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
#if SUBGROUP
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) in_subgroup: u32,
#else
    @builtin(local_invocation_index) local: u32,
#endif
) {
#if SUBGROUP
    subgroup_lane = in_subgroup;
    let local = subgroup * SUBGROUP + in_subgroup;
#endif
    var group = folded(id, num);
    let channel_block = group % CHANNEL_BLOCKS;
    group /= CHANNEL_BLOCKS;
    let chunk_group = group % params.chunk_groups;
    let batch = group / params.chunk_groups;
    if (batch >= params.batch) {
        return;
    }
    let columns = ORDER == 1u;
    let l = lane_of(batch, chunk_group, channel_block, local);
    let row_at = (batch * params.chunks + l.chunk) * (K * D * SLOTS);
    let rate_at = row_at + K * D * (R + 1u);
    let e_at = params.batch * params.chunks * (K * D * SLOTS)
        + (batch * params.tokens + l.chunk * params.chunk) * D + l.channel;

    for (var turn = 0u; turn < DIRECTIONS; turn++) {
        let reverse = (turn == 1u) != (FLIPPED == 1u);
        let k = ORDER + 2u * turn;
        let channel = k * D + l.channel * CHANNELS;
        let c = channel_of(k, l);
#include scan_sweep1
#include scan_sweep2
    }
}
