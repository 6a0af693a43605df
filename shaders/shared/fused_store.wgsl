// Writes the sums, sixteen columns at a time through `hidden`; `emit` says what becomes of four
// of them. SUBGROUP_COLUMNS sixteens are under way at once, one below the other.
#for J OUT_COLUMNS
#if COOP
#for I OUT_ROWS
    let d$I$J = s$I$J;
    let to$I$J = (column_matrix * PIXELS + (row_matrix + $Iu) * 16u) * LD_HIDDEN;
    coopStoreT(d$I$J, &hidden[to$I$J], LD_HIDDEN);
#endfor
#else
#for I RUN
    hidden[(thread / 4u + 32u * $Iu) * LD_HIDDEN + thread % 4u] = s$I$J;
#endfor
#endif
    workgroupBarrier();
    for (var i = thread; i < SUBGROUP_COLUMNS * PIXELS * 4u; i += THREADS) {
        let row = i / 4u % PIXELS;
        let at = pixel_at(tile, i32(row % TILE_WIDTH), i32(row / TILE_WIDTH));
        let quad = columns_from($Ju, i / (PIXELS * 4u)) / 4u + i % 4u;
        if at.inside {
            emit(at.index, quad, hidden[i]);
        }
    }
    workgroupBarrier();
#endfor
