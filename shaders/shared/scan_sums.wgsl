// Sums over the channels of a workgroup, for the gradient of p's rows: lanes put
// their terms for BATCH tokens side by side, then each sum is taken by PARTS lanes
// (terms PARTS apart, so that no two lanes meet in a memory bank), and the parts of
// a whole sub-block are added and written at once. A fixed order throughout.
// Needs shared/scan and the binding `gp` [CHANNEL_BLOCKS, tokens, K·(R+2N)].

const MOST_SUMS: u32 = R + N; // of a token at a time
const TERM_STRIDE: u32 = LANES + PARTS;

var<workgroup> terms: array<f32, BATCH * MOST_SUMS * TERM_STRIDE>;
var<workgroup> parts: array<f32, SUB * MOST_SUMS * GROUP_CHUNKS * PARTS>;

// Puts a lane's terms for columns `column`.., at most `left` of them.
fn put_terms(turn: u32, column: u32, left: u32, local: u32, value: vec4<f32>) {
    let at = (turn * MOST_SUMS + column) * TERM_STRIDE + local;
    terms[at] = value.x;
    if (left > 1u) { terms[at + TERM_STRIDE] = value.y; }
    if (left > 2u) { terms[at + 2u * TERM_STRIDE] = value.z; }
    if (left > 3u) { terms[at + 3u * TERM_STRIDE] = value.w; }
}

// Takes the sums of `count` columns for the tokens j .. j + BATCH in the sweep's order.
fn sum_terms(j: u32, count: u32, descending: bool, local: u32) {
    workgroupBarrier();
    for (var i = local; i < GROUP_CHUNKS * BATCH * count * PARTS; i += LANES) {
        let part = i % PARTS;
        let column = i / PARTS % count;
        let turn = i / (PARTS * count) % BATCH;
        let place = i / (PARTS * count * BATCH);
        let row = (turn * MOST_SUMS + column) * TERM_STRIDE + place * CHANNEL_LANES;
        var sum = 0.0;
        for (var t = part; t < CHANNEL_LANES; t += PARTS) {
            sum += terms[row + t];
        }
        let s = select(j + turn, SUB - 1u - j - turn, descending);
        parts[((place * SUB + s) * MOST_SUMS + column) * PARTS + part] = sum;
    }
    workgroupBarrier();
}

// Writes the sums of the sub-block from place `offset` of each chunk to columns `first`.. of gp.
fn write_sums(k: u32, l: Lane, group: vec2<u32>, offset: u32, first: u32, count: u32, local: u32) {
    for (var i = local; i < GROUP_CHUNKS * SUB * count; i += LANES) {
        let column = i % count;
        let s = i / count % SUB;
        let place = i / (count * SUB);
        let at = (group.x * GROUP_CHUNKS + place) * params.chunk + offset + s;
        if (at < params.tokens) {
            var sum = 0.0;
            for (var part = 0u; part < PARTS; part++) {
                sum += parts[((place * SUB + s) * MOST_SUMS + column) * PARTS + part];
            }
            let token = (group.y * params.batch + l.batch) * params.tokens
                + token_of(at, ORDER == 1u);
            gp[(token * K + k) * PROJECTED + first + column] = sum;
        }
    }
}
