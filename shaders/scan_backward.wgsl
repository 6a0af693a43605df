// Last pass of the scan's backward: every chunk again, in both ways.
//
// With h the states, q_t = g_t C_t + u_{t+1}, u_t = a_t q_t, m_t = a_t h_{t-1}, s_t = ∂h_t/∂A:
//   sweep 1 (in order): gC = Σ_d g h, gA = Σ_t g C s + u_end s_end, e_t = Σ_n A g C m
//   sweep 2 (from the end): gB = Σ_d q Δ v, gv = Δ Σ_n q B + d g,
//     Z_t = Σ_n A q_t m_t by Z_t = Z_{t+1} + e_t - Δ v Σ_n A u_{t+1} B, Z_end = Σ_n A u_end h_end,
//     gΔ = v Σ_n q B + Z, times softplus' for gr, gw_dt, gb_dt
// so that no state is kept for a second look, only e.
//
// bindings: 1 v, 2 p, 3 weights (see scan_emit), 4 gy like v,
//           5 states [2, batch, K, chunks, NV, D] vec4: h at the starts, u at the ends,
//           6 partials [batch, chunks, K·D·(R+1+A+1)] (gw_dt, gb_dt, ga_log, gd), then e like v,
//           7 gv like v, 8 gp [CHANNEL_BLOCKS, batch, tokens, K·(R+2N)]
// layout:   as scan_emit
// numerics: 32-bit, fixed order; the terms of Z vanish with the decays, its error ends with the chunk
#include index
const STAGED: u32 = RV + 2u * NV;
#include scan
#include scan_sums

@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> gy: array<f32>;
@group(0) @binding(5) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> work: array<f32>;
@group(0) @binding(7) var<storage, read_write> gv: array<f32>;
@group(0) @binding(8) var<storage, read_write> gp: array<f32>;

const LN_2: f32 = 0.69314718;
const A: u32 = SLOTS - R - 2u;

// v, gy of a token; in sweep 2 also e and what gv has already. Loaded a token ahead.
fn load(w: Walk, l: Lane, e_at: u32, second: bool, adds: bool) -> vec4<f32> {
    var x = vec4<f32>(0.0);
    if (w.live) {
        x.x = v[w.at];
        x.y = gy[w.at];
        if (second) { x.z = work[e_at + w.place * D]; }
        if (adds) { x.w = gv[w.at]; }
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
    let chunk_group = group % params.chunk_groups;
    let batch = group / params.chunk_groups;
    if (batch >= params.batch) {
        return;
    }
    let group2 = vec2<u32>(chunk_group, channel_block);
    let columns = ORDER == 1u;
    let l = lane_of(batch, chunk_group, channel_block, local);
    let row_len = K * D * (R + A + 2u);
    let e_at = params.batch * params.chunks * row_len + batch * params.tokens * D + l.channel;
    let start = l.chunk * params.chunk;
    let end = start + params.chunk - 1u;

    for (var turn = 0u; turn < DIRECTIONS; turn++) {
        let reverse = turn == 1u;
        let k = ORDER + 2u * turn;
        let c = channel_of(k, l);
        let skip = weight(k, SLOT_SKIP, l);
#for I NV
        var h$I = vec4<f32>(0.0);
        var u$I = vec4<f32>(0.0);
        if (l.live) {
            h$I = states[state_index(0u, k, l) + $Iu * D];
            u$I = states[state_index(1u, k, l) + $Iu * D];
        }
        var s$I = vec4<f32>(0.0);
        var g_rate$I = vec4<f32>(0.0);
#endfor
        var g_skip = 0.0;
        var w = walk_start(l, select(start, end, reverse), columns, reverse);
        var next = load(w, l, e_at, false, false);
        for (var done = 0u; done < params.chunk; done += SUB) {
            let offset = select(done, params.chunk - SUB - done, reverse);
            stage_rows(k, batch, chunk_group, offset, local);
            for (var j = 0u; j < SUB; j += BATCH) {
                for (var b = 0u; b < BATCH; b++) {
                    let x = next;
                    let last = w;
                    w = walk_next(w, l, columns, reverse);
                    w.live = w.live && done + j + b + 1u < params.chunk;
                    next = load(w, l, e_at, false, false);
                    let row = (l.place * SUB + select(j + b, SUB - 1u - j - b, reverse)) * STAGED;
                    let delta = select(0.0, delta_of(delta_input(c, row)), last.place < params.tokens);
                    let d = decays(c, delta);
                    let input = delta * x.x;
                    var e = 0.0;
#for I NV
                    let m$I = d.a$I * h$I;
                    s$I = d.a$I * s$I + delta * m$I;
                    h$I = m$I + input * rows[row + RV + $Iu];
                    let g$I = x.y * rows[row + RV + NV + $Iu];
                    g_rate$I += g$I * s$I;
                    e += dot(g$I * c.rate$I, m$I);
                    put_terms(b, $Iu, local, x.y * h$I);
#endfor
                    g_skip += x.y * x.x;
                    if (last.live) { work[e_at + last.place * D] = e * LN_2; }
                }
                sum_terms(j, NV, reverse, local);
            }
            write_sums(k, l, group2, offset, 0u, R + N, local);
        }

        var z = 0.0;
#for I NV
        z += LN_2 * dot(u$I * c.rate$I, h$I);
        g_rate$I += u$I * s$I;
#endfor
        var g_bias = 0.0;
#for I RV
        var g_w$I = vec4<f32>(0.0);
#endfor
        let adds = columns || reverse;
        w = walk_start(l, select(end, start, reverse), columns, !reverse);
        next = load(w, l, e_at, true, adds);
        for (var done = 0u; done < params.chunk; done += SUB) {
            let offset = select(params.chunk - SUB - done, done, reverse);
            stage_rows(k, batch, chunk_group, offset, local);
            for (var j = 0u; j < SUB; j += BATCH) {
                for (var b = 0u; b < BATCH; b++) {
                    let x = next;
                    let last = w;
                    w = walk_next(w, l, columns, !reverse);
                    w.live = w.live && done + j + b + 1u < params.chunk;
                    next = load(w, l, e_at, true, adds);
                    let row = (l.place * SUB + select(SUB - 1u - j - b, j + b, reverse)) * STAGED;
                    let there = last.place < params.tokens;
                    let raw = delta_input(c, row);
                    let delta = select(0.0, delta_of(raw), there);
                    let d = decays(c, delta);
                    let input = delta * x.x;
                    var q_b = 0.0;
                    var u_ab = 0.0;
#for I NV
                    let b$I = rows[row + RV + $Iu];
                    let q$I = x.y * rows[row + RV + NV + $Iu] + u$I;
                    q_b += dot(q$I, b$I);
                    u_ab += dot(c.rate$I * u$I, b$I);
                    u$I = d.a$I * q$I;
                    put_terms(b, RV + $Iu, local, input * q$I);
#endfor
                    z += x.z - LN_2 * input * u_ab;
                    let g_raw = select(0.0, (x.x * q_b + z) * delta_slope(raw), there);
                    if (last.live) { gv[last.at] = x.w + delta * q_b + skip * x.y; }
                    g_bias += g_raw;
#for I RV
                    g_w$I += g_raw * rows[row + $Iu];
                    put_terms(b, $Iu, local, g_raw * c.w_dt$I);
#endfor
                }
                sum_terms(j, RV + NV, !reverse, local);
            }
            write_sums(k, l, group2, offset, RV, R, local);
        }

        // This lane's sums over its chunk.
        if (l.live) {
            let at = (batch * params.chunks + l.chunk) * row_len;
            let channel = k * D + l.channel;
#for J 4
#for I RV
            if (4u * $Iu + $Ju < R) { work[at + channel * R + 4u * $Iu + $Ju] = g_w$I[$J]; }
#endfor
#endfor
            work[at + K * D * R + channel] = g_bias;
            let rate_at = at + K * D * (R + 1u) + channel * A;
#if TIED
            var g_rate = 0.0;
#for I NV
            g_rate += dot(c.rate$I, g_rate$I);
#endfor
            work[rate_at] = LN_2 * g_rate;
#else
#for J 4
#for I NV
            if (4u * $Iu + $Ju < N) { work[rate_at + 4u * $Iu + $Ju] = LN_2 * c.rate$I[$J] * g_rate$I[$J]; }
#endfor
#endfor
#endif
            work[at + K * D * (R + 1u + A) + channel] = g_skip;
        }
    }
}
