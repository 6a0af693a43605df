// Writes the sums, sixteen columns at a time through `hidden`; `emit` says what becomes of four
// of them and of what `before` reads in their place. SUBGROUP_COLUMNS sixteens are under way at
// once, one below the other: STORES vec4 an invocation.
#for J OUT_COLUMNS
#if COOP
#for I OUT_ROWS
    let d$I$J = s$I$J;
    let to$I$J = (column_matrix * PIXELS + (row_matrix + $Iu) * 16u) * LANES;
    coopStoreT(d$I$J, &hidden[to$I$J], LANES);
#endfor
#else
#for I TURNS
    set_hidden4(thread / 4u + THREADS / 4u * $Iu, thread % 4u, s$I$J);
#endfor
#endif
    workgroupBarrier();
#for E STORES
    let row$J_$E = (thread + $Eu * THREADS) / 4u;
    let place$J_$E = row$J_$E % PIXELS;
    let at$J_$E = pixel_at(i32(place$J_$E % TILE_WIDTH), i32(place$J_$E / TILE_WIDTH));
    let quad$J_$E = columns_from($Ju, row$J_$E / PIXELS) / 4u + thread % 4u;
    let before$J_$E = before(at$J_$E.index, quad$J_$E);
#endfor
#for E STORES
    if at$J_$E.inside {
        emit(at$J_$E.index, quad$J_$E, hidden4(row$J_$E, thread % 4u), before$J_$E);
    }
#endfor
    workgroupBarrier();
#endfor
