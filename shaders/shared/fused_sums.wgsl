// The sums of shared/fused_out, in registers: OUT_ROWS × OUT_COLUMNS matrices a subgroup, or
// TURNS × OUT_COLUMNS vec4 an invocation.
#if COOP
    let row_matrix = thread / 32u % SUBGROUP_ROWS * OUT_ROWS;
    let column_matrix = thread / 32u / SUBGROUP_ROWS;
#for I OUT_ROWS
#for J OUT_COLUMNS
    var s$I$J = coop_mat16x16<f32, C>();
#endfor
#endfor
#else
#for I TURNS
#for J OUT_COLUMNS
    var s$I$J = vec4<f32>();
#endfor
#endfor
#endif
