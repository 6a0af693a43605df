// Last pass of the scan's backward: every chunk again, in both ways.
//
// With h the forward states, q_t = g_t C_t + u_{t+1}, u_t = a_t q_t, m_t = a_t h_{t-1}:
//   sweep 1 (in order):   gC = Σ_d g h, gA = Σ_t g C s_t + u_end s_end with s_t = ∂h_t/∂A =
//                         a_t s_{t-1} + Δ m_t, e_t = Σ_n A g C m
//   sweep 2 (from the end): gB = Σ_d q Δ v, gv = Δ Σ_n q B + d g, Z_t = Σ_n A q_t m_t by
//                         Z_t = Z_{t+1} + e_t - Δ v Σ_n A u_{t+1} B from Z_end = Σ_n A u_end h_end,
//                         gΔ = v Σ_n q B + Z, times softplus' for gr, gw_dt, gb_dt
// so that no state is kept for a second look: e is one number a channel and token.
//
// bindings: 1 v, 2 p, 3 weights (see scan_emit), 4 gy like v,
//           5 states [2, batch, K, chunks, NV, D] vec4: starts h, and u at the ends,
//           6 partials [batch, chunks, K·D·(R+1+A+1)] (gw_dt, gb_dt, ga_log, gd), then e [batch, tokens, D],
//           7 gv like v, 8 gp [CHANNEL_BLOCKS, batch, tokens, K·(R+2N)]
// layout:   as scan_emit, both DIRECTIONS of one ORDER after each other; gv adds up
// numerics: 32-bit, fixed order; the terms of Z vanish with the decays, its error ends with the chunk
#include index
const STAGED: u32 = RV + 2u * NV;
#include scan
#include scan_sums
#include scan_tiles

@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> gy: array<f32>;
@group(0) @binding(5) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> work: array<f32>;
@group(0) @binding(7) var<storage, read_write> gv: array<f32>;
@group(0) @binding(8) var<storage, read_write> gp: array<f32>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var group = folded(id, num);
    let channel_block = group % CHANNEL_BLOCKS;
    group /= CHANNEL_BLOCKS;
    let chunk_group = group % params.chunk_groups;
    let batch = group / params.chunk_groups;
    if (batch >= params.batch) {
        return;
    }
    let place = vec2<u32>(chunk_group, channel_block);
    let l = lane_of(batch, chunk_group, channel_block, local);
    let row_len = K * D * (R + A + 2u);
    let start = l.chunk * params.chunk;
    let e_at = params.batch * params.chunks * row_len + (batch * params.tokens + start) * D + l.channel;

    for (var turn = 0u; turn < DIRECTIONS; turn++) {
        let reverse = turn == 1u;
        let k = ORDER + 2u * turn;
        let c = channel_of(k, l);
        let skip = weight(k, SLOT_SKIP, l);
        var h: array<vec4<f32>, NV>;
        var u: array<vec4<f32>, NV>;
        var sensitivity: array<vec4<f32>, NV>;
        var g_decay: array<vec4<f32>, NV>;
        if (l.live) {
            for (var i = 0u; i < NV; i++) {
                h[i] = states[state_index(0u, k, l) + i * D];
                u[i] = states[state_index(1u, k, l) + i * D];
            }
        }
        var g_skip = 0.0;
        for (var done = 0u; done < params.chunk; done += SUB) {
            let offset = select(done, params.chunk - SUB - done, reverse);
            stage(k, l, chunk_group, offset, local, 0u);
            for (var j = 0u; j < SUB; j += BATCH) {
                for (var b = 0u; b < BATCH; b++) {
                    let s = select(j + b, SUB - 1u - j - b, reverse);
                    let row = (l.place * SUB + s) * STAGED;
                    let there = start + offset + s < params.tokens;
                    let delta = select(0.0, delta_of(delta_input(c, row)), there);
                    let g = g_tile[s * LANES + local];
                    let x = v_tile[s * LANES + local];
                    var a = decays(c, delta);
                    var e = 0.0;
                    for (var i = 0u; i < NV; i++) {
                        let m = a[i] * h[i];
                        sensitivity[i] = a[i] * sensitivity[i] + delta * m;
                        h[i] = m + (delta * x) * rows[row + RV + i];
                        let g_out = g * rows[row + RV + NV + i];
                        g_decay[i] += g_out * sensitivity[i];
                        e += dot(g_out * rates(c, i), m);
                        for (var n = 0u; n < 4u; n++) {
                            if (4u * i + n < N) { put_term(b, 4u * i + n, local, g * h[i][n]); }
                        }
                    }
                    g_skip += g * x;
                    if (there && l.live) { work[e_at + (offset + s) * D] = e * LN_2; }
                }
                workgroupBarrier();
                sum_terms(j, N, reverse, local);
                workgroupBarrier();
            }
            write_sums(k, l, place, offset, R + N, N, local);
        }

        var z = 0.0;
        for (var i = 0u; i < NV; i++) {
            z += LN_2 * dot(u[i] * rates(c, i), h[i]);
            g_decay[i] += u[i] * sensitivity[i];
        }
        var g_bias = 0.0;
        var g_w: array<vec4<f32>, RV>;
        for (var done = 0u; done < params.chunk; done += SUB) {
            let offset = select(params.chunk - SUB - done, done, reverse);
            stage(k, l, chunk_group, offset, local, e_at);
            for (var j = 0u; j < SUB; j += BATCH) {
                for (var b = 0u; b < BATCH; b++) {
                    let s = select(SUB - 1u - j - b, j + b, reverse);
                    let row = (l.place * SUB + s) * STAGED;
                    let there = start + offset + s < params.tokens;
                    let raw = delta_input(c, row);
                    let delta = select(0.0, delta_of(raw), there);
                    let g = g_tile[s * LANES + local];
                    let x = v_tile[s * LANES + local];
                    var a = decays(c, delta);
                    var q_b = 0.0;
                    var u_ab = 0.0;
                    for (var i = 0u; i < NV; i++) {
                        let q = g * rows[row + RV + NV + i] + u[i];
                        q_b += dot(q, rows[row + RV + i]);
                        u_ab += dot(rates(c, i) * u[i], rows[row + RV + i]);
                        u[i] = a[i] * q;
                        let term = (delta * x) * q;
                        for (var n = 0u; n < 4u; n++) {
                            if (4u * i + n < N) { put_term(b, R + 4u * i + n, local, term[n]); }
                        }
                    }
                    z += e_tile[s * LANES + local] - LN_2 * (delta * x) * u_ab;
                    let g_raw = select(0.0, (x * q_b + z) * delta_slope(raw), there);
                    v_tile[s * LANES + local] = delta * q_b + skip * g;
                    g_bias += g_raw;
                    for (var i = 0u; i < RV; i++) {
                        g_w[i] += g_raw * rows[row + i];
                        let term = g_raw * c.w_dt[i];
                        for (var n = 0u; n < 4u; n++) {
                            if (4u * i + n < R) { put_term(b, 4u * i + n, local, term[n]); }
                        }
                    }
                }
                workgroupBarrier();
                sum_terms(j, R + N, !reverse, local);
                workgroupBarrier();
            }
            write_sums(k, l, place, offset, 0u, R + N, local);
            var w = walk_to(start + offset, ORDER == 1u);
            for (var s = 0u; s < SUB; s++) {
                if (l.live && start + offset + s < params.tokens) {
                    let at = (batch * params.tokens + w.token) * D + l.channel;
                    var out = v_tile[s * LANES + local];
                    if (ORDER == 1u || reverse) { out += gv[at]; }
                    gv[at] = out;
                }
                w = walk_next(w, ORDER == 1u);
            }
        }
        if (l.live) {
            put_partials((batch * params.chunks + l.chunk) * row_len, k * D + l.channel, c, g_w, g_bias, g_decay, g_skip);
        }
    }
}
