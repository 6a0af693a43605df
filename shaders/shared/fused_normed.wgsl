// The sums of NORMED kernels, slice by slice; needs `wo0` .. with the first slice of w_out.
    for (var slice = 0u; slice < SLICES; slice++) {
        let rows_at = slice % 2u * OUT * LD_TERMS;
#for L LOADS_OUT
        keep_rows(rows_at, $Lu * THREADS + thread, wo$L);
        wo$L = fetch_rows(min(slice + 1u, SLICES - 1u), $Lu * THREADS + thread);
#endfor
        // A subgroup that is a slice ahead writes the other half.
        workgroupBarrier();
#include fused_out
    }
