//! The matrix product of the processor: the library's (gemm), with its bounds checked.

/// A matrix somewhere in memory. Rows may overlap, as windows of a line do.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    /// Distances between the starts of rows, and of columns.
    apart: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` values, one after another, at the beginning of `data`.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self {
            data,
            rows,
            columns,
            apart: [columns, 1],
        }
    }

    /// The same with rows that start every `stride` values.
    pub fn every(self, stride: usize) -> Self {
        Self {
            apart: [stride, 1],
            ..self
        }
    }

    /// Rows for columns.
    pub fn transposed(self) -> Self {
        let [rows, columns] = self.apart;
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            apart: [columns, rows],
        }
    }

    /// Values from the first to the last, those between them included.
    fn reach(&self) -> usize {
        match self.rows.min(self.columns) {
            0 => 0,
            _ => (self.rows - 1) * self.apart[0] + (self.columns - 1) * self.apart[1] + 1,
        }
    }
}

/// `y += a·b`, or `y = a·b`, with rows of `y` one after another; on this thread, or on all
/// where `cores` says so.
pub(crate) fn multiply(
    a: Matrix<'_>,
    b: Matrix<'_>,
    y: &mut [f32],
    accumulate: bool,
    cores: gemm::Parallelism,
) {
    assert!(a.columns == b.rows && y.len() == a.rows * b.columns);
    assert!(a.reach() <= a.data.len() && b.reach() <= b.data.len());
    let [[a_row, a_column], [b_row, b_column]] = [a, b].map(|m| m.apart.map(|d| d as isize));
    // SAFETY: the asserts bound every element that the sizes and strides below reach.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            y.as_mut_ptr(),
            1,
            b.columns as isize,
            accumulate,
            a.data.as_ptr(),
            a_column,
            a_row,
            b.data.as_ptr(),
            b_column,
            b_row,
            1.0,
            1.0,
            false,
            false,
            false,
            cores,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_plain_overlapping_and_transposed_matrices() {
        let one = gemm::Parallelism::None;
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 2.0, 1.0];
        let mut y = [10.0; 6];
        multiply(
            Matrix::new(&a, 3, 2),
            Matrix::new(&b, 2, 2),
            &mut y,
            true,
            one,
        );
        assert_eq!(y, [15.0, 12.0, 21.0, 14.0, 27.0, 16.0]);
        // Windows of three values that start every second one.
        let windows = Matrix::new(&a[..5], 2, 3).every(2);
        let mut y = [10.0; 2];
        multiply(
            windows,
            Matrix::new(&[1.0, 1.0, 1.0], 3, 1),
            &mut y,
            false,
            one,
        );
        assert_eq!(y, [6.0, 12.0]);
        let square = Matrix::new(&a, 3, 2);
        let mut y = [0.0; 4];
        multiply(square.transposed(), square, &mut y, false, one);
        assert_eq!(y, [35.0, 44.0, 44.0, 56.0]);
        // Of nothing there is nothing.
        multiply(
            Matrix::new(&[], 2, 0),
            Matrix::new(&[], 0, 2),
            &mut y,
            false,
            one,
        );
        assert_eq!(y, [0.0; 4]);
    }
}
