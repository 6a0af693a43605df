// sums [PIXELS, OUT] += gated · w_rowsᵀ; needs `slice`, `thread` and `rows_at`, where w_rows of the
// slice begins. With NORMED the left factor is the slice of `normal`.
// Columns come in sixteens; the last ones end with OUT, so that some are made twice.
#if COOP
#for I OUT_ROWS
#if NORMED
        let from$I = (row_matrix + $Iu) * 16u * LD_NORMAL + slice * 4u;
        let g$I = coopLoadT<coop_mat16x16<f16, A>>(&normal[from$I], LD_NORMAL);
#else
        let g$I = coopLoadT<coop_mat16x16<f16, A>>(&gated[(row_matrix + $Iu) * 16u * LD_GATED], LD_GATED);
#endif
#endfor
#for J OUT_COLUMNS
        let o$J = coopLoad<coop_mat16x16<f16, B>>(&w_rows[rows_at + columns_from($Ju, column_matrix) * LD_TERMS], LD_TERMS);
#for I OUT_ROWS
        s$I$J = coopMultiplyAdd(g$I, o$J, s$I$J);
#endfor
#endfor
#else
#for K 4
#for I TURNS
#if NORMED
        let g$I_$K = vec4<f32>(normal[(thread / 4u + THREADS / 4u * $Iu) * LD_NORMAL + slice * 4u + $Ku]);
#else
        let g$I_$K = gated4(thread / 4u + THREADS / 4u * $Iu, $Ku);
#endif
#endfor
#for J OUT_COLUMNS
        let w$J_$K = rows_at + (columns_from($Ju, 0u) + 4u * (thread % 4u)) * LD_TERMS + $Ku;
#for R 4
        let o$J_$K_$R = vec4<f32>(w_rows[w$J_$K + $Ru * LD_TERMS]);
#endfor
#for I TURNS
        s$I$J += vec4<f32>(
#for R 4
            dot(g$I_$K, o$J_$K_$R),
#endfor
        );
#endfor
#endfor
#endfor
#endif
