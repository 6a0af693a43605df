// What the depthwise kernels share: a workgroup is ROW_LANES picture rows of
// COLUMN_LANES lanes of channels; each lane goes along a strip of pixels.
#include index
#include lanes

// Where a workgroup (of those of one block of channels) works.
struct Place {
    batch: u32,
    row: u32,
    begin: u32,
    end: u32,
}

fn place(item: u32, row_lane: u32) -> Place {
    let strip = item % params.strips;
    let block = item / params.strips;
    let begin = strip * params.strip;
    return Place(
        block / params.row_blocks,
        (block % params.row_blocks) * ROW_LANES + row_lane,
        begin,
        min(begin + params.strip, params.width),
    );
}

// The three inputs above, at and below a place in one picture column; zero outside.
struct Column {
    above: V,
    level: V,
    below: V,
}

fn input_column(p: Place, column: i32, channel: u32) -> Column {
    var c = Column(V(0.0), V(0.0), V(0.0));
    if (column >= 0 && column < i32(params.width)) {
        let line = params.width * CHANNELS;
        let at = ((p.batch * params.height + p.row) * params.width + u32(column)) * CHANNELS + channel;
        c.level = V(x[at]);
        if (p.row > 0u) {
            c.above = V(x[at - line]);
        }
        if (p.row + 1u < params.height) {
            c.below = V(x[at + line]);
        }
    }
    return c;
}
