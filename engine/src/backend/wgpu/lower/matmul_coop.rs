//! Matrix products on tensor cores: tile shapes of the `matmul_coop` kernel.
//!
//! Operands are narrowed to 16 bits, whose normal range is 6e−5 .. 65504. Activations and
//! weights fit as they are. Gradients of a loss that averages over n pixels are about 1/n,
//! far below; so a gradient is multiplied by a power of two before it is narrowed and the
//! result divided by it, both exact. At a layer of T tokens each token stands for n/T
//! pixels, hence a gradient of about (n/T)/n = 1/T: the factor 8·T puts it at the middle of
//! the 16-bit range, with a factor of some 8000 to spare above (where it saturates, like a
//! clipped gradient, instead of becoming infinite) and 100 000 below.

use super::matmul::{FULL, Form, Launch, Product};

/// Rows and columns of a subgroup's share of the result.
const SIDE: usize = 32;

/// Depth of a tile, fixed in the kernel.
const DEPTH: usize = 32;

/// Most subgroups of a workgroup: 256 invocations.
const SUBGROUPS: usize = 8;

/// Smallest size worth a matrix of 16 × 16.
const SMALLEST: usize = 16;

/// Most subgroups along rows and columns, tried in order until the grid fills the GPU.
const GRIDS: [(usize, usize); 5] = [(4, 4), (2, 4), (1, 4), (1, 2), (1, 1)];

/// A gradient times 8·tokens is about 8: see above.
const GRADIENT_GAIN: usize = 8;

/// The launch on tensor cores, unless the product is too small for them.
pub(super) fn cooperative(product: Product) -> Option<Launch> {
    let p = product;
    if p.m.min(p.n).min(p.k) < SMALLEST {
        return None;
    }
    let with = |grid| launch(p, grid);
    Some(match p.form {
        // Slabs fill the GPU.
        Form::BackwardWeight => {
            let whole = with(GRIDS[0]);
            let slab = p.slab(whole.groups(), DEPTH);
            Launch { slab, ..whole }
        }
        Form::Forward | Form::BackwardInput => GRIDS
            .into_iter()
            .map(with)
            .find(|l| l.groups() >= FULL)
            .unwrap_or_else(|| with(GRIDS[GRIDS.len() - 1])),
    })
}

/// A launch with at most `rows × columns` subgroups a workgroup, in one slab.
fn launch(product: Product, (rows, columns): (usize, usize)) -> Launch {
    let columns = subgroups(product.n, columns);
    let most = rows.min(SUBGROUPS / columns);
    let (rows, a_factor) = match product.form {
        Form::Forward => (most, 1.0),
        Form::BackwardInput => (most, gradient_factor(product.m)),
        Form::BackwardWeight => (subgroups(product.m, most), gradient_factor(product.k)),
    };
    Launch {
        product,
        kernel: "matmul_coop",
        constants: vec![
            ("SG_M", rows.into()),
            ("SG_N", columns.into()),
            ("BM", (SIDE * rows).into()),
            ("BN", (SIDE * columns).into()),
        ],
        rows: SIDE * rows,
        columns: SIDE * columns,
        slab: product.k.next_multiple_of(DEPTH),
        a_factor,
    }
}

/// `len` in equal parts of at most `most` subgroups: how many subgroups a part takes.
fn subgroups(len: usize, most: usize) -> usize {
    len.div_ceil(len.div_ceil(most * SIDE)).div_ceil(SIDE)
}

/// What gradients at a layer of so many tokens are multiplied by.
fn gradient_factor(tokens: usize) -> f32 {
    (GRADIENT_GAIN * tokens.next_power_of_two()) as f32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::matmul::tests::{check_slabs, constant, products};
    use super::*;

    #[test]
    fn tiles_fit_the_devices_that_have_tensor_cores() {
        let mut seen = 0;
        for launch in products().filter_map(cooperative) {
            let (rows, columns) = (constant(&launch, "SG_M"), constant(&launch, "SG_N"));
            assert!((1..=SUBGROUPS).contains(&(rows * columns)), "{launch:?}");
            // Rows of 16-bit values padded by 16 bytes, in the longer of both layouts.
            let tile = |side: usize| (side * (2 * DEPTH + 16)).max(DEPTH * (2 * side + 16));
            let bytes = tile(launch.rows) + tile(launch.columns) + rows * columns * 16 * 9 * 16;
            assert!(bytes <= 49_152, "{bytes} bytes: {launch:?}");
            check_slabs(&launch, DEPTH);
            seen += 1;
        }
        assert!(seen > 100);
    }

    #[test]
    fn factors_are_powers_of_two_and_undone_exactly() {
        for product in products() {
            let Some(launch) = cooperative(product) else {
                continue;
            };
            assert_eq!(launch.a_factor.log2().fract(), 0.0);
            assert_eq!(launch.a_factor * launch.a_factor.recip(), 1.0);
            assert_eq!(launch.a_factor == 1.0, product.form == Form::Forward);
        }
    }

    #[test]
    fn small_products_stay_in_32_bit() {
        let small = |m, n, k| {
            cooperative(Product {
                m,
                n,
                k,
                form: Form::Forward,
            })
            .is_none()
        };
        assert!(small(4096, 3, 64) && small(4096, 64, 5) && small(2, 64, 64));
        assert!(!small(4096, 16, 16));
    }
}
