// The first of the sixteen columns that the subgroups of `column_matrix` make j-th.
fn columns_from(j: u32, column_matrix: u32) -> u32 {
    return min((j * SUBGROUP_COLUMNS + column_matrix) * 16u, OUT - 16u);
}
