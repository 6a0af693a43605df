// Pass 1 of the selective scan: every chunk alone, from a zero state.
//
// Each lane runs its channels through its chunk and keeps the state at the end,
// h = Σ_t (Π_{s>t} a_s) Δ_t v_t B_t, and ΣΔ: the chunk's decay is exp(A·ΣΔ).
// SUFFIXES (tied decays, not BACKWARD): against the direction's order, by the running product of
// the decays after t, P_t: the n-th state's is its n-th power, so that a state takes a product
// and a sum. Else in the direction's order, by the recurrence. With BACKWARD also what the chunk
// hands to the one before it in the reverse scan, u = Σ_t (Π_{s≤t} a_s) g_t C_t, in the same
// sweep by the running product of the decays.
//
// bindings: 1 v [batch, tokens, D], 2 p [batch, tokens, K·(R+2N)], 3 weights [K, SLOTS, D],
//           4 states [1 or 2, batch, K, chunks, 4·NV, D], 5 sums [batch, K, chunks, D],
//           6 gy like v (BACKWARD)
// layout:   a workgroup is GROUP_CHUNKS chunks × CHANNEL_LANES lanes over channels of one
//           direction; a direction and its reverse, which read the same tokens,
//           are neighbouring workgroups
// numerics: 32-bit, in the order of the sweep; v, p, gy in 16 bits where HALF
#include index
#if BACKWARD
const STAGED: u32 = RV + 2u * NV;
#else
const STAGED: u32 = RV + NV;
#endif
#include scan
#include scan_decays

@group(0) @binding(1) var<storage, read> v: array<S1>;
@group(0) @binding(2) var<storage, read> p: array<P2>;
@group(0) @binding(3) var<storage, read> weights: array<C>;
@group(0) @binding(4) var<storage, read_write> states: array<C>;
@group(0) @binding(5) var<storage, read_write> sums: array<C>;
#if BACKWARD
@group(0) @binding(6) var<storage, read> gy: array<S6>;
#endif

// v, and gy, of a token as they are stored; loaded UNROLL tokens ahead, whatever for none.
struct Token {
    v: S1,
#if BACKWARD
    gy: S6,
#endif
    live: bool,
}

fn load(w: Walk, l: Lane) -> Token {
    var x: Token;
#if WHOLE
    x.live = true;
    let at = min(w.at, params.batch * params.tokens * DC - 1u);
#else
    x.live = w.index < l.count;
    let at = select(0u, w.at, x.live);
#endif
    x.v = v[at];
#if BACKWARD
    x.gy = gy[at];
#endif
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
    // The order of the sweep: the direction's, or the opposite.
    let reverse = ((k >= 2u) != (FLIPPED == 1u)) != (SUFFIXES == 1u);
    let l = lane_of(batch, chunk_group, channel_block, local);
    let c = channel_of(k, l);

    var sum = C(0.0);
#if TIED
    var product = C(1.0);
#endif
#for I NV
#for J 4
    var h$I$J = C(0.0);
#if BACKWARD
    var u$I$J = C(0.0);
#if !TIED
    var product$I$J = C(1.0);
#endif
#endif
#endfor
#endfor
    var w = walk_start(l, columns, reverse);
#for T UNROLL
    var next$T = load(w, l);
    w = walk_next(w, columns);
#endfor
    var fetched = fetch_rows(k, batch, select(0u, params.chunk - SUB, reverse), local);
    for (var done = SUB; done <= params.chunk; done += SUB) {
        workgroupBarrier();
        put_rows(fetched, local);
        workgroupBarrier();
        if (done < params.chunk) {
            fetched = fetch_rows(k, batch, select(done, params.chunk - SUB - done, reverse), local);
        }
        for (var j = 0u; j < SUB; j += UNROLL) {
#for T UNROLL
            let now$T = next$T;
            next$T = load(w, l);
            w = walk_next(w, columns);
#endfor
#for T UNROLL
            let row$T = (l.place * SUB + select(j + $Tu, SUB - 1u - j - $Tu, reverse)) * STAGED;
            let raw$T = delta_input(c, row$T);
            let delta$T = delta_of(raw$T, fading(raw$T));
#endfor
#for T UNROLL
            {
                let x_v = select(C(0.0), C(now$T.v), now$T.live);
#if BACKWARD
                let x_gy = select(C(0.0), C(now$T.gy), now$T.live);
#endif
                sum += delta$T;
#if SUFFIXES
                // Of the states in turn: P^n Δ v.
                var input = product * (delta$T * x_v);
#for I NV
                let b$I = rows[row$T + RV + $Iu];
#for J 4
                h$I$J += input * b$I[$J];
                input *= product;
#endfor
#endfor
                product *= exp2(delta$T * c.rate);
#else
                let input = delta$T * x_v;
                let d = decays(c, delta$T);
#if BACKWARD
#if TIED
                product *= d.a00;
                // Of the states in turn: P^n g.
                var output = product * x_gy;
#endif
#endif
#for I NV
                let b$I = rows[row$T + RV + $Iu];
#if BACKWARD
                let c$I = rows[row$T + RV + NV + $Iu];
#endif
#for J 4
                h$I$J = d.a$I$J * h$I$J + input * b$I[$J];
#if BACKWARD
#if TIED
                u$I$J += output * c$I[$J];
                output *= product;
#else
                product$I$J *= d.a$I$J;
                u$I$J += product$I$J * (x_gy * c$I[$J]);
#endif
#endif
#endfor
#endfor
#endif
            }
#endfor
        }
    }
    if (!l.live) {
        return;
    }
    sums[((batch * K + k) * params.chunks + l.chunk) * DC + l.channel] = sum;
#for I NV
#for J 4
    states[state_index(0u, k, l) + (4u * $Iu + $Ju) * DC] = h$I$J;
#if BACKWARD
    states[state_index(1u, k, l) + (4u * $Iu + $Ju) * DC] = u$I$J;
#endif
#endfor
#endfor
}
