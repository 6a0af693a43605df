// Between the strides of a slice: its share of w_out to where the sums read it, the next slice's
// of w_in to where hidden is made from it, and those after them on their way. Needs `slice`.
#for L LOADS_OUT
        keep_rows(rows_at, $Lu * THREADS + thread, wo$L);
        wo$L = fetch_rows(min(slice + 1u, SLICES - 1u), $Lu * THREADS + thread);
#endfor
#for L LOADS_IN
        keep_columns($Lu * THREADS + thread, wi$L);
        wi$L = fetch_columns(min(slice + 2u, SLICES - 1u) * 16u, $Lu * THREADS + thread);
#endfor
