// Writes the gradient of p's rows of a sub-block: the sums of shared/scan_fold or shared/scan_sums.
// Needs the binding `gp` [CHANNEL_BLOCKS, batch, tokens, K·(R+2N)] of E8.

fn element(x: f32) -> E8 {
#if HALF8
    return E8(clamp(x, -65504.0, 65504.0));
#else
    return x;
#endif
}

// Of the tokens from place `offset` of each chunk: vectors of r (if any) and then of B or C,
// which begin at column `first` of gp.
fn write_sums(k: u32, l: Lane, channel_block: u32, offset: u32, ranks: u32, first: u32, descending: bool, local: u32) {
    let count = ranks + NV;
    for (var i = local; i < GROUP_CHUNKS * SUB * count; i += LANES) {
        let vector = i % count;
        let slot = i / count;
        let at = slot / SUB * params.chunk + offset + slot % SUB;
        if (first_place + at < params.tokens) {
            let sum = sum_of(slot % SUB, slot / SUB, vector, descending);
            var column = 4u * vector;
            var left = R - column;
            if (vector >= ranks) {
                left = N - 4u * (vector - ranks);
                column = first + N - left;
            }
            let token = (channel_block * params.batch + l.batch) * params.tokens
                + token_of(at, ORDER == 1u);
            column += (token * K + k) * PROJECTED;
            gp[column] = element(sum.x);
            if (left > 1u) { gp[column + 1u] = element(sum.y); }
            if (left > 2u) { gp[column + 2u] = element(sum.z); }
            if (left > 3u) { gp[column + 3u] = element(sum.w); }
        }
    }
}
