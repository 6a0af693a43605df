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

// The three inputs (`pixel`, which kernels define) above, at and below a place in one picture column; zero outside.
struct Column {
    above: V,
    level: V,
    below: V,
}

// Loads without branches, from a place inside where there is none: all of them are under way
// at once, and so are those of the next column when kernels ask for it before they need it.
fn input_column(p: Place, column: i32, channel: u32) -> Column {
    let nearest = u32(clamp(column, 0, i32(params.width) - 1));
    let line = params.width * CHANNELS;
    let at = ((p.batch * params.height + p.row) * params.width + nearest) * CHANNELS + channel;
    let inside = i32(nearest) == column;
    let first = p.row == 0u;
    let last = p.row + 1u >= params.height;
    let above = pixel(at - select(line, 0u, first));
    let level = pixel(at);
    let below = pixel(at + select(line, 0u, last));
    return Column(
        select(V(0.0), above, inside && !first),
        select(V(0.0), level, inside),
        select(V(0.0), below, inside && !last),
    );
}
