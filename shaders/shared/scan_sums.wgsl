// Sums over the channels of a workgroup, for the gradient of p's rows: lanes put
// vectors of terms for BATCH tokens side by side, each sum is taken by PARTS lanes
// (vectors PARTS apart, so that neighbouring lanes read neighbouring memory), and
// the parts of a whole sub-block are added and written at once. A fixed order throughout.
// TERMS = CHANNEL_LANES / PARTS, rounded up (RAGGED) or not.
// Needs shared/scan and the binding `gp` [CHANNEL_BLOCKS, tokens, K·(R+2N)].

const MOST: u32 = RV + NV; // vectors of a token

var<workgroup> terms: array<vec4<f32>, BATCH * MOST * LANES>;
var<workgroup> parts: array<vec4<f32>, PARTS * GROUP_CHUNKS * SUB * MOST>;

fn put_terms(turn: u32, vector: u32, local: u32, value: vec4<f32>) {
    terms[(turn * MOST + vector) * LANES + local] = value;
}

// Takes the sums of `count` vectors for the tokens j .. j + BATCH in the sweep's order.
fn sum_terms(j: u32, count: u32, descending: bool, local: u32) {
    workgroupBarrier();
    for (var i = local; i < GROUP_CHUNKS * BATCH * count * PARTS; i += LANES) {
        let part = i % PARTS;
        let vector = i / PARTS % count;
        let turn = i / (PARTS * count) % BATCH;
        let place = i / (PARTS * count * BATCH);
        let at = (turn * MOST + vector) * LANES + place * CHANNEL_LANES + part;
        var sum = vec4<f32>(0.0);
#for T TERMS
#if RAGGED
        if (part + $Tu * PARTS < CHANNEL_LANES) { sum += terms[at + $Tu * PARTS]; }
#else
        sum += terms[at + $Tu * PARTS];
#endif
#endfor
        let s = select(j + turn, SUB - 1u - j - turn, descending);
        parts[((part * GROUP_CHUNKS + place) * SUB + s) * MOST + vector] = sum;
    }
    workgroupBarrier();
}

// Writes the sums of the sub-block from place `offset` of each chunk: vectors of r (if any)
// and then of B or C, which begin at column `first` of gp.
fn write_sums(k: u32, l: Lane, group: vec2<u32>, offset: u32, ranks: u32, first: u32, local: u32) {
    let count = ranks + NV;
    for (var i = local; i < GROUP_CHUNKS * SUB * count; i += LANES) {
        let vector = i % count;
        let slot = i / count;
        let at = (group.x * GROUP_CHUNKS + slot / SUB) * params.chunk + offset + slot % SUB;
        if (at < params.tokens) {
            var sum = vec4<f32>(0.0);
#for P PARTS
            sum += parts[($Pu * GROUP_CHUNKS * SUB + slot) * MOST + vector];
#endfor
            var column = 4u * vector;
            var left = R - column;
            if (vector >= ranks) {
                left = N - 4u * (vector - ranks);
                column = first + N - left;
            }
            let token = (group.y * params.batch + l.batch) * params.tokens
                + token_of(at, ORDER == 1u);
            column += (token * K + k) * PROJECTED;
            gp[column] = sum.x;
            if (left > 1u) { gp[column + 1u] = sum.y; }
            if (left > 2u) { gp[column + 2u] = sum.z; }
            if (left > 3u) { gp[column + 3u] = sum.w; }
        }
    }
}
