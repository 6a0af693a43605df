// Workgroup memory of the scan's backward for the values only one lane uses, and
// where a lane leaves its sums over a chunk.
// Needs shared/scan and the bindings `v`, `gy`, `work`.

// Own columns of the sub-block: v (then gv), g, e.
var<workgroup> v_tile: array<f32, SUB * LANES>;
var<workgroup> g_tile: array<f32, SUB * LANES>;
var<workgroup> e_tile: array<f32, SUB * LANES>;

const LN_2: f32 = 0.69314718;
const A: u32 = SLOTS - R - 2u;

fn stage(k: u32, l: Lane, chunk_group: u32, offset: u32, local: u32, e_at: u32) {
    workgroupBarrier();
    stage_rows(k, l.batch, chunk_group, offset, local);
    let first = l.chunk * params.chunk + offset;
    var w = walk_to(first, ORDER == 1u);
    for (var s = 0u; s < SUB; s++) {
        var x = vec3<f32>(0.0);
        if (l.live && first + s < params.tokens) {
            let at = (l.batch * params.tokens + w.token) * D + l.channel;
            x = vec3<f32>(v[at], gy[at], 0.0);
            if (e_at > 0u) { x.z = work[e_at + (offset + s) * D]; }
        }
        v_tile[s * LANES + local] = x.x;
        g_tile[s * LANES + local] = x.y;
        e_tile[s * LANES + local] = x.z;
        w = walk_next(w, ORDER == 1u);
    }
    workgroupBarrier();
}

// One lane's sums over its chunk; channel = k·D + d.
fn put_partials(
    row: u32, channel: u32, c: Channel,
    g_w: array<vec4<f32>, RV>, g_bias: f32, g_decay: array<vec4<f32>, NV>, g_skip: f32,
) {
    var w = g_w;
    var decay = g_decay;
    for (var i = 0u; i < R; i++) {
        work[row + channel * R + i] = w[i / 4u][i % 4u];
    }
    work[row + K * D * R + channel] = g_bias;
    let at = row + K * D * (R + 1u) + channel * A;
#if TIED
    var sum = 0.0;
    for (var i = 0u; i < NV; i++) {
        sum += dot(rates(c, i), decay[i]);
    }
    work[at] = LN_2 * sum;
#else
    for (var i = 0u; i < N; i++) {
        work[at + i] = LN_2 * (rates(c, i / 4u) * decay[i / 4u])[i % 4u];
    }
#endif
    work[row + K * D * (R + 1u + A) + channel] = g_skip;
}
