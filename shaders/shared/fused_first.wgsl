// The first slice's share of w_in in place; `after`, the column of what is wanted next, and the
// first slice's share of w_out on their way. What is in `normal` is seen from here on.
#for L LOADS_IN
    keep_columns($Lu * THREADS + thread, wi$L);
    wi$L = fetch_columns(after, $Lu * THREADS + thread);
#endfor
#for L LOADS_OUT
    var wo$L = fetch_rows(0u, $Lu * THREADS + thread);
#endfor
    workgroupBarrier();
#include fused_sums
    let rows_at = 0u;
