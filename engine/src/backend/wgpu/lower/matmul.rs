//! Matrix products: tile shapes and launches of the `matmul` kernel.

use super::super::dispatch::{Access, Constant, Dispatch, Operand, fold};

/// Depth of a tile: how much of k goes through workgroup memory at once.
const DEPTH: usize = 16;

/// Workgroups that keep a large GPU busy (two on each of some 130 processors).
pub(super) const FULL: usize = 264;

/// Largest tile sides, tried in order until the grid fills the GPU.
const SIDES: [(usize, usize); 5] = [(128, 128), (64, 128), (64, 64), (32, 64), (32, 32)];

/// Rows and columns a thread makes, tried in order until a workgroup has enough threads.
const THREAD_TILES: [(usize, usize); 3] = [(8, 8), (8, 4), (4, 4)];

/// Fewest threads of a workgroup worth having, where the tile allows it.
const ENOUGH_THREADS: usize = 128;

/// Sizes of `C [m, n] = A·B`, and how its operands lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Product {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms of a sum.
    pub k: usize,
    /// What is multiplied.
    pub form: Form,
}

/// Which of the linear layer's products this is: how operands lie, and which size is the number
/// of tokens. Tile sides follow channels closely but never the number of tokens, so that
/// pictures of all sizes share pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A `[m, k]`, B `[n, k]`; m tokens.
    Forward,
    /// A `[m, k]`, B `[k, n]`; m tokens.
    BackwardInput,
    /// A `[k, m]`, B `[k, n]`; k tokens.
    BackwardWeight,
}

impl Form {
    /// A is `[k, m]`.
    pub fn a_by_columns(self) -> bool {
        self == Form::BackwardWeight
    }

    /// B is `[k, n]`.
    pub fn b_by_rows(self) -> bool {
        self != Form::Forward
    }
}

impl Product {
    /// Lengths of the rows of A, B and C: channels, never tokens.
    pub fn strides(&self) -> [usize; 3] {
        let a = match self.form.a_by_columns() {
            true => self.m,
            false => self.k,
        };
        let b = match self.form.b_by_rows() {
            true => self.n,
            false => self.k,
        };
        [a, b, self.n]
    }

    /// Whether the rows of A, B and C divide by four, so that loads and stores may take four.
    fn vectors(&self) -> [bool; 3] {
        self.strides().map(|len| len.is_multiple_of(4))
    }

    /// Sums over k are cut into slabs of this many terms, a multiple of `depth`, one partial
    /// result each: enough of them to fill the GPU with `tiles` tiles, but few enough that
    /// partial results move at most about an eighth of the operands' bytes.
    pub fn slab(&self, tiles: usize, depth: usize) -> usize {
        let affordable = self.k * (self.m + self.n) / (8 * self.m * self.n);
        let filling = FULL.div_ceil(tiles);
        let slabs = (4 * FULL).div_ceil(tiles).min(affordable.max(filling));
        let longest = self.k.div_ceil(slabs.max(1)).max(4 * depth);
        longest.next_multiple_of(depth)
    }
}

/// A workgroup's share of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tile {
    rows: usize,
    columns: usize,
    thread_rows: usize,
    thread_columns: usize,
}

impl Tile {
    fn count(&self, p: &Product) -> usize {
        p.m.div_ceil(self.rows) * p.n.div_ceil(self.columns)
    }

    /// The largest tile of which there are enough.
    fn choose(p: &Product) -> Self {
        let with = |(rows, columns): (usize, usize)| {
            let rows = match p.form {
                Form::Forward | Form::BackwardInput => rows,
                Form::BackwardWeight => side(p.m, rows),
            };
            Self::of(rows, side(p.n, columns))
        };
        let sides = match p.form {
            // Slabs fill the GPU.
            Form::BackwardWeight => &SIDES[..1],
            Form::Forward | Form::BackwardInput => &SIDES[..],
        };
        let enough = sides.iter().map(|&s| with(s)).find(|t| t.count(p) >= FULL);
        enough.unwrap_or_else(|| with(sides[sides.len() - 1]))
    }

    /// Shares a tile of multiples of eight among at most 256 threads.
    fn of(rows: usize, columns: usize) -> Self {
        let tile = |(thread_rows, thread_columns)| Self {
            rows,
            columns,
            thread_rows,
            thread_columns,
        };
        let enough = THREAD_TILES.into_iter().map(tile).find(|t| {
            let threads = (rows / t.thread_rows) * (columns / t.thread_columns);
            threads >= ENOUGH_THREADS
        });
        enough.unwrap_or_else(|| tile(THREAD_TILES[2]))
    }
}

/// `len` in equal parts of at most `longest`, rounded up to multiples of eight.
fn side(len: usize, longest: usize) -> usize {
    len.div_ceil(len.div_ceil(longest)).next_multiple_of(8)
}

/// Operands of a product and of its epilogue `residual + scale ⊙ (C + bias)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    /// A
    pub a: Operand,
    /// B
    pub b: Operand,
    /// `bias [n]`
    pub bias: Option<Operand>,
    /// `residual [m, n]` and `scale [n]`
    pub residual: Option<(Operand, Operand)>,
}

impl Operands {
    /// Bindings in the order the kernels declare them.
    pub fn bindings(&self, out: Operand) -> Vec<(Operand, Access)> {
        let mut bindings = vec![
            (self.a, Access::Read),
            (self.b, Access::Read),
            (out, Access::Write),
        ];
        bindings.extend(self.bias.map(|b| (b, Access::Read)));
        if let Some((residual, scale)) = self.residual {
            bindings.extend([(residual, Access::Read), (scale, Access::Read)]);
        }
        bindings
    }
}

/// How a product is launched, still without its operands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Launch {
    /// What is computed.
    pub product: Product,
    /// Stem of the kernel's file.
    pub kernel: &'static str,
    /// The kernel's constants, without those of operands and epilogue.
    pub constants: Vec<(&'static str, Constant)>,
    /// Rows of the result a workgroup makes.
    pub rows: usize,
    /// Columns of the result a workgroup makes.
    pub columns: usize,
    /// Terms of a sum a workgroup adds up.
    pub slab: usize,
    /// Most workgroups along rows: more rows than they make are gone over in turn.
    pub row_groups: usize,
}

impl Launch {
    /// The launch of the 32-bit kernel, for every device.
    pub fn plain(product: Product) -> Self {
        let tile = Tile::choose(&product);
        let slab = match product.form {
            Form::Forward | Form::BackwardInput => product.k.next_multiple_of(DEPTH),
            Form::BackwardWeight => product.slab(tile.count(&product), DEPTH),
        };
        // Tile rows in vec4, multiples of eight because their columns are swizzled in eights.
        let stride = |len: usize| (len / 4).next_multiple_of(8);
        Self {
            product,
            kernel: "matmul",
            constants: vec![
                ("BM", tile.rows.into()),
                ("BN", tile.columns.into()),
                ("BK", DEPTH.into()),
                ("RN", (tile.rows / tile.thread_rows).into()),
                ("CN", (tile.columns / tile.thread_columns).into()),
                ("LDA", stride(tile.rows).into()),
                ("LDB", stride(tile.columns).into()),
                ("TM8", (tile.thread_rows == 8).into()),
                ("TN8", (tile.thread_columns == 8).into()),
            ],
            rows: tile.rows,
            columns: tile.columns,
            slab,
            row_groups: usize::MAX,
        }
    }

    /// Number of partial results: the output is `[slabs, m, n]`.
    pub fn slabs(&self) -> usize {
        self.product.k.div_ceil(self.slab)
    }

    /// Tiles along rows and columns.
    pub fn tiles(&self) -> (usize, usize) {
        let p = &self.product;
        (p.m.div_ceil(self.rows), p.n.div_ceil(self.columns))
    }

    /// Workgroups in all.
    pub fn groups(&self) -> usize {
        let (tiles_m, tiles_n) = self.tiles();
        tiles_m.min(self.row_groups) * tiles_n * self.slabs()
    }

    /// The dispatch writing the `slabs` partial results to `out`.
    pub fn dispatch(&self, operands: &Operands, out: Operand) -> Dispatch {
        let p = &self.product;
        let mut constants = self.constants.clone();
        let [a, b, c] = p.vectors();
        constants.extend([
            ("VECTOR_A", a.into()),
            ("VECTOR_B", b.into()),
            ("VECTOR_C", c.into()),
            ("A_BY_COLUMNS", p.form.a_by_columns().into()),
            ("B_BY_ROWS", p.form.b_by_rows().into()),
            ("BIAS", operands.bias.is_some().into()),
            ("RESIDUAL", operands.residual.is_some().into()),
        ]);
        let (tiles_m, tiles_n) = self.tiles();
        let row_groups = tiles_m.min(self.row_groups);
        let slabs = self.slabs();
        let sizes = [
            p.m, p.n, p.k, self.slab, row_groups, tiles_m, tiles_n, slabs,
        ];
        Dispatch {
            kernel: self.kernel,
            constants,
            bindings: operands.bindings(out),
            params: sizes.map(|v| v as u32).to_vec(),
            workgroups: fold(self.groups()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Products of many sizes, in all forms.
    pub fn products() -> impl Iterator<Item = Product> {
        const SIZES: [usize; 13] = [1, 3, 5, 16, 32, 33, 64, 72, 128, 144, 256, 1024, 4096];
        let forms = [Form::Forward, Form::BackwardInput, Form::BackwardWeight];
        forms.into_iter().flat_map(|form| {
            SIZES.into_iter().flat_map(move |m| {
                SIZES.map(|n| Product {
                    m,
                    n,
                    k: 262_144,
                    form,
                })
            })
        })
    }

    /// Value of a launch's integer constant.
    pub fn constant(launch: &Launch, name: &str) -> usize {
        let found = launch.constants.iter().find(|(n, _)| *n == name);
        match found {
            Some((_, Constant::U32(v))) => *v as usize,
            _ => 0,
        }
    }

    /// Slabs cover k, and none is empty.
    pub fn check_slabs(launch: &Launch, depth: usize) {
        let k = launch.product.k;
        assert_eq!(launch.slab % depth, 0, "{launch:?}");
        assert!(launch.slabs() * launch.slab >= k, "{launch:?}");
        assert!((launch.slabs() - 1) * launch.slab < k, "{launch:?}");
    }

    #[test]
    fn tiles_fit_every_adapter() {
        for product in products() {
            let launch = Launch::plain(product);
            let c = |name| constant(&launch, name);
            let threads = c("RN") * c("CN");
            assert!((1..=256).contains(&threads), "{launch:?}");
            assert!((c("LDA") + c("LDB")) * c("BK") * 16 <= 16384, "{launch:?}");
            assert_eq!(c("RN") * 4 * (1 + c("TM8")), launch.rows);
            assert_eq!(c("CN") * 4 * (1 + c("TN8")), launch.columns);
            check_slabs(&launch, DEPTH);
        }
    }

    #[test]
    fn the_weight_gradient_fills_the_gpu_with_few_partial_results() {
        // (tokens, outputs, inputs) of the base preset, 16 crops of 128².
        for (k, m, n) in [(262_144, 64, 32), (65_536, 128, 64), (4_096, 1024, 512)] {
            let form = Form::BackwardWeight;
            let launch = Launch::plain(Product { m, n, k, form });
            assert!(launch.groups() >= FULL - 32, "{launch:?}");
            let (partial, operands) = (launch.slabs() * m * n, k * (m + n));
            assert!(partial <= operands, "{partial} of {operands}");
        }
    }
}
