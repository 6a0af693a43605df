//! Matrix products on tensor cores: tile shapes of the `matmul_coop` kernel.
//!
//! These products are bound by memory, so tiles are chosen by what they move: columns are
//! channels, few enough that one tile or two cover them and each token is read once or twice;
//! and where workgroup memory holds all of B for a tile's columns, a workgroup keeps it and
//! goes over many tiles of tokens.

use super::matmul::{FULL, Form, Launch, Product};

/// Rows and columns of a cooperative matrix.
pub(super) const SIDE: usize = 16;

/// Smallest size worth such a matrix.
const SMALLEST: usize = SIDE;

/// Workgroup memory in bytes.
pub(super) const MEMORY: usize = 49_152;

/// Subgroups of a workgroup that goes over tokens: eight are a quarter faster than four on an
/// NVIDIA H200, sixteen slower (docs/performance.md).
const STREAMING: usize = 8;

/// Subgroups of a workgroup that sums over tokens.
const SUMMING: usize = 8;

/// Processors of a large GPU. Each has registers for one workgroup: more of them wait for their turn.
const PROCESSORS: usize = 132;

/// Workgroups that keep such a GPU busy: almost two for each processor.
pub(super) const ENOUGH: usize = 250;

/// The launch on tensor cores, unless the product is too small for them. `half_result`: the
/// result is kept in 16 bits.
pub(super) fn cooperative(product: Product, half_result: bool) -> Option<Launch> {
    let p = product;
    if p.m.min(p.n).min(p.k) < SMALLEST {
        return None;
    }
    Some(match p.form {
        Form::Forward | Form::BackwardInput => {
            // Sixteen bytes a store.
            let eights = half_result && p.n.is_multiple_of(8);
            streaming(p, if eights { 8 } else { 4 })
        }
        Form::BackwardWeight => summing(p),
    })
}

/// How a workgroup shares a tile, in cooperative matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tile {
    /// Subgroups along rows, columns and terms.
    subgroups: [usize; 3],
    /// Matrices of a subgroup along rows and columns.
    matrices: [usize; 2],
    /// Matrices along the terms a subgroup multiplies between two barriers.
    steps: usize,
    /// Terms of B that stay in workgroup memory, where all of them do.
    kept: Option<usize>,
}

impl Tile {
    fn rows(&self) -> usize {
        SIDE * self.subgroups[0] * self.matrices[0]
    }

    fn columns(&self) -> usize {
        SIDE * self.subgroups[1] * self.matrices[1]
    }

    fn depth(&self) -> usize {
        SIDE * self.subgroups[2] * self.steps
    }

    fn all_subgroups(&self) -> usize {
        self.subgroups.iter().product()
    }

    /// Bytes of workgroup memory: tiles of A and B with padded rows, and the way out.
    fn bytes(&self, form: Form) -> usize {
        let tile = |across: usize, depth: usize, by_depth: bool| match by_depth {
            true => depth * (2 * across + 16),
            false => across * (2 * depth + 16),
        };
        let a = tile(self.rows(), self.depth(), form.a_by_columns());
        let depth = self.kept.unwrap_or(self.depth());
        let b = tile(self.columns(), depth, form.b_by_rows());
        let c = self.all_subgroups() * SIDE * (4 * self.matrices[1] + 2) * 16;
        a + b + c
    }

    /// Steps whose terms are on their way: two, but of A and B both one is faster, with fewer registers.
    fn ahead(&self, form: Form) -> usize {
        match self.kept.is_some() || form == Form::BackwardWeight {
            true => 2,
            false => 1,
        }
    }

    /// `stored`: numbers of the result an invocation writes at a time, 4 or 8.
    fn launch(&self, product: Product, stored: usize) -> Launch {
        let threads = 32 * self.all_subgroups();
        let (rows, columns, depth) = (self.rows(), self.columns(), self.depth());
        let [sg_m, sg_n, sg_k] = self.subgroups;
        let [tm, tn] = self.matrices;
        let deep = self.kept.unwrap_or(depth);
        // Nothing of a tile lies outside, whatever the number of tokens: the last one ends where they do.
        let [stride_a, stride_b, stride_c] = product.strides();
        let whole = (product.m >= rows && stride_a.is_multiple_of(4))
            && product.n.is_multiple_of(columns)
            && product.k.is_multiple_of(deep);
        let mut constants = vec![
            ("SG_M", sg_m.into()),
            ("SG_N", sg_n.into()),
            ("SG_K", sg_k.into()),
            ("TM", tm.into()),
            ("TN", tn.into()),
            ("STEPS", self.steps.into()),
            ("BM", rows.into()),
            ("BN", columns.into()),
            ("BK", depth.into()),
            ("LOADS_A", (rows * depth / 4).div_ceil(threads).into()),
            ("LOADS_B", (columns * deep / 4).div_ceil(threads).into()),
            (
                "STORES",
                (sg_m * SIDE * columns / stored).div_ceil(threads).into(),
            ),
            ("EIGHTS", (stored == 8).into()),
            ("WHOLE", whole.into()),
            ("AHEAD", self.ahead(product.form).into()),
            ("KEEP_B", self.kept.is_some().into()),
            ("KEPT", deep.into()),
        ];
        if whole {
            constants.extend([
                ("STRIDE_A", stride_a.into()),
                ("STRIDE_B", stride_b.into()),
                ("STRIDE_C", stride_c.into()),
            ]);
        }
        let launch = Launch {
            product,
            kernel: "matmul_coop",
            constants,
            rows,
            columns,
            slab: product.k.next_multiple_of(depth),
            row_groups: usize::MAX,
        };
        if product.form == Form::BackwardWeight || sg_k > 1 {
            return launch;
        }
        // Every workgroup makes the same number of tiles, and all of them run at once.
        let (tiles_m, tiles_n) = launch.tiles();
        let at_once = PROCESSORS.div_ceil(tiles_n);
        let turns = tiles_m.div_ceil(at_once);
        Launch {
            row_groups: tiles_m.div_ceil(turns),
            ..launch
        }
    }
}

/// `len` in equal parts of at most `most` matrices: how many matrices a part takes.
fn part(len: usize, most: usize) -> usize {
    let matrices = len.div_ceil(SIDE);
    matrices.div_ceil(matrices.div_ceil(most))
}

/// Most workgroups of a product that waits rather than computes, see [`shared_terms`]: on an NVIDIA
/// H200 more of them are faster in larger tiles (docs/performance.md).
const FEW: usize = 300;

/// Few tokens: what such a product takes is its way from step to step along the terms, so
/// subgroups share the terms instead of the tile, and tiles are small enough for every processor
/// to have one. Nothing where there would be many.
fn shared_terms(p: Product) -> Option<Launch> {
    let of = |subgroups: [usize; 3], matrices: [usize; 2]| Tile {
        subgroups,
        matrices,
        steps: part(p.k.div_ceil(subgroups[2]), 2),
        kept: None,
    };
    let groups = |launch: &Launch| {
        let (tiles_m, tiles_n) = launch.tiles();
        tiles_m * tiles_n
    };
    let [large, small] = [of([2, 2, 2], [2, 2]), of([2, 1, 4], [1, 2])].map(|t| t.launch(p, 4));
    // 128 tiles, as powers of two make them, are one a processor but for a few.
    let large = Some(large).filter(|l| groups(l) >= PROCESSORS - 4);
    large
        .or(Some(small))
        .filter(|l| p.k >= 4 * SIDE && groups(l) <= FEW)
}

/// Products over tokens: the widest tile of which there are enough, keeping B if that fits.
fn streaming(p: Product, stored: usize) -> Launch {
    if let Some(launch) = shared_terms(p) {
        return launch;
    }
    let fits = |t: &&Tile| t.bytes(p.form) <= MEMORY;
    let enough = |launch: &Launch| {
        let (tiles_m, tiles_n) = launch.tiles();
        tiles_m * tiles_n >= ENOUGH
    };
    let tall = tall(p).into_iter().filter(|t| fits(&t));
    if let Some(launch) = tall.map(|t| t.launch(p, stored)).find(enough) {
        return launch;
    }
    let mut narrowest = None;
    for columns in [8, 4, 2].map(|most| part(p.n, most)) {
        for rows in [2, 1] {
            let tiles = tiles(p, columns, rows);
            let Some(tile) = tiles.iter().find(fits) else {
                continue;
            };
            let launch = tile.launch(p, stored);
            if enough(&launch) {
                return launch;
            }
            narrowest = Some(launch);
        }
    }
    // The narrowest tile always fits.
    narrowest.unwrap_or_else(|| tiles(p, 1, 1)[0].launch(p, stored))
}

/// Tiles of four by two matrices a subgroup, for results whose columns they divide: each matrix
/// loaded from workgroup memory is multiplied more often. The best first.
fn tall(p: Product) -> Vec<Tile> {
    let across = match p.n {
        n if n.is_multiple_of(8 * SIDE) => 4,
        n if n.is_multiple_of(4 * SIDE) => 2,
        _ => return Vec::new(),
    };
    let of = |(steps, keep): (usize, bool)| Tile {
        subgroups: [STREAMING / across, across, 1],
        matrices: [4, 2],
        steps,
        kept: keep.then_some(p.k.next_multiple_of(SIDE * steps)),
    };
    match p.k >= 2 * SIDE {
        true => [(2, true), (2, false)].map(of).to_vec(),
        false => Vec::new(),
    }
}

/// Tiles of so many matrices along columns and, a subgroup, along rows; the best first.
fn tiles(p: Product, columns: usize, rows: usize) -> Vec<Tile> {
    let mut all = Vec::new();
    for keep in [true, false] {
        for across in [1, 2] {
            let wide = columns.div_ceil(across);
            if wide > 5 || across > columns {
                continue;
            }
            for steps in [5, 2].map(|most| part(p.k, most)) {
                let depth = SIDE * steps;
                all.push(Tile {
                    subgroups: [STREAMING / across, across, 1],
                    matrices: [rows, wide],
                    steps,
                    kept: keep.then_some(p.k.next_multiple_of(depth)),
                });
            }
        }
    }
    all
}

/// Sums over tokens: tiles as large as registers allow, in slabs that fill the GPU.
fn summing(p: Product) -> Launch {
    let (rows, columns) = (part(p.m, 8), part(p.n, 4));
    let (sg_m, tm) = shared(rows);
    let (sg_n, tn) = shared(columns);
    let sg_k = [4, 2, 1]
        .into_iter()
        .find(|k| k * sg_m * sg_n <= SUMMING)
        .unwrap_or(1);
    let with = |depth: usize| Tile {
        subgroups: [sg_m, sg_n, sg_k],
        matrices: [tm, tn],
        steps: (depth / sg_k).max(1),
        kept: None,
    };
    let tile = Some(with(4))
        .filter(|t| t.bytes(p.form) <= MEMORY)
        .unwrap_or_else(|| with(2));
    let launch = tile.launch(p, 4);
    // Two workgroups a processor; more only make more partial results to add up.
    let slabs = FULL.div_ceil(launch.groups());
    let slab = p.k.div_ceil(slabs).next_multiple_of(tile.depth());
    Launch { slab, ..launch }
}

/// At most eight matrices shared by at most four subgroups: (subgroups, matrices of each).
fn shared(matrices: usize) -> (usize, usize) {
    match matrices {
        1..=3 => (1, matrices),
        _ => (matrices.div_ceil(2), 2),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::matmul::tests::{check_slabs, constant, products};
    use super::*;

    #[test]
    fn tiles_fit_the_devices_that_have_tensor_cores() {
        let mut seen = 0;
        for launch in products()
            .flat_map(|p| [false, true].map(|half| cooperative(p, half)))
            .flatten()
        {
            let c = |name| constant(&launch, name);
            let subgroups = c("SG_M") * c("SG_N") * c("SG_K");
            assert!((1..=SUMMING).contains(&subgroups), "{launch:?}");
            assert_eq!(launch.rows, 16 * c("TM") * c("SG_M"));
            assert_eq!(launch.columns, 16 * c("TN") * c("SG_N"));
            assert_eq!(c("BK"), 16 * c("STEPS") * c("SG_K"));
            // Every number of 16 rows of every share is stored, and in eights only where rows
            // divide by eight and nothing is left to add up.
            let stored = 4 + 4 * c("EIGHTS");
            let threads = 32 * subgroups;
            assert!(c("STORES") * threads * stored >= c("SG_M") * 16 * launch.columns);
            assert!(stored == 4 || (launch.product.n % 8 == 0 && c("SG_K") == 1));
            let form = launch.product.form;
            // Rows of 16-bit values padded by 16 bytes.
            let tile = |side: usize, depth: usize, by_depth| match by_depth {
                true => depth * (2 * side + 16),
                false => side * (2 * depth + 16),
            };
            let kept = c("KEPT").max(c("BK"));
            let bytes = tile(launch.rows, c("BK"), form.a_by_columns())
                + tile(launch.columns, kept, form.b_by_rows())
                + subgroups * 16 * (4 * c("TN") + 2) * 16;
            assert!(bytes <= 49_152, "{bytes} bytes: {launch:?}");
            // 8 registers of sums a matrix.
            assert!(c("TM") * c("TN") <= 10, "{launch:?}");
            if c("KEEP_B") == 1 {
                assert!(
                    kept >= launch.product.k && launch.slabs() == 1,
                    "{launch:?}"
                );
            }
            check_slabs(&launch, c("BK"));
            seen += 1;
        }
        assert!(seen > 100);
    }

    #[test]
    fn small_products_stay_in_32_bit() {
        let small = |m, n, k| {
            let form = Form::Forward;
            cooperative(Product { m, n, k, form }, true).is_none()
        };
        assert!(small(4096, 3, 64) && small(4096, 64, 5) && small(2, 64, 64));
        assert!(!small(4096, 16, 16));
    }
}
