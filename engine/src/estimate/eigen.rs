//! Eigenvalues of a symmetric matrix.

/// Eigenvalues of a symmetric `n` by `n` matrix, in no order, by Jacobi's rotations
/// (Golub and Van Loan, Matrix Computations, 8.5).
pub(super) fn eigenvalues(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    let scale: f64 = (0..n).map(|i| a[i * n + i].abs()).sum();
    for _sweep in 0..30 {
        let mut off = 0.0;
        for p in 0..n {
            for q in p + 1..n {
                let value = a[p * n + q];
                off += value.abs();
                if value.abs() <= 1e-14 * scale {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * value);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                }
            }
        }
        if off <= 1e-10 * scale {
            break;
        }
    }
    (0..n).map(|i| a[i * n + i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_by_hand() {
        // The path of three nodes: 2 − √2, 2, 2 + √2.
        let mut values = eigenvalues(vec![2.0, -1.0, 0.0, -1.0, 2.0, -1.0, 0.0, -1.0, 2.0], 3);
        values.sort_by(f64::total_cmp);
        let root = 2f64.sqrt();
        for (got, want) in values.iter().zip([2.0 - root, 2.0, 2.0 + root]) {
            assert!((got - want).abs() < 1e-9, "{values:?}");
        }
    }
}
