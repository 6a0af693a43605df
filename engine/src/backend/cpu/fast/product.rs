//! The matrix product under linear layers and convolutions.

/// A row-major matrix of `rows` rows that start every `stride` values (rows may overlap).
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// First element of the first row on.
    pub data: &'a [f32],
    /// Distance between the starts of rows.
    pub stride: usize,
}

/// `y += x·w`, or `y = x·w`, with `w` `[inner, out]` and `y` `[rows, out]`, on this thread.
pub(super) fn product(x: Rows<'_>, w: &[f32], y: &mut [f32], out: usize, accumulate: bool) {
    let rows = y.len() / out;
    let inner = w.len() / out;
    if rows == 0 || inner == 0 {
        return;
    }
    assert!(w.len() == inner * out && y.len() == rows * out);
    assert!(x.data.len() >= (rows - 1) * x.stride + inner);
    // SAFETY: the asserts bound every element that the sizes and strides below reach.
    unsafe {
        gemm::gemm(
            rows,
            out,
            inner,
            y.as_mut_ptr(),
            1,
            out as isize,
            accumulate,
            x.data.as_ptr(),
            1,
            x.stride as isize,
            w.as_ptr(),
            1,
            out as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
