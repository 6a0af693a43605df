//! How large a network is and what it costs, from its configuration alone.

use super::{Network, NetworkConfig, NetworkError};
use crate::graph::{Cost, graph_cost};

/// Side of the square picture that costs are told for, as the field does.
pub const COST_SIDE: usize = 256;

/// Learned scalars and cost of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Size {
    /// Learned scalars.
    pub parameters: usize,
    /// Cost of one picture of [`COST_SIDE`] squared. For super-resolution that is the result's
    /// size, as in the published tables: the input is smaller by the scale.
    pub cost: Cost,
}

/// Size and cost of a configuration.
///
/// # Errors
/// [`NetworkError`] when the configuration is out of range or the picture does not fit it.
pub fn size(config: &NetworkConfig) -> Result<Size, NetworkError> {
    config.validate()?;
    let side = (COST_SIDE / config.scale).next_multiple_of(config.size_multiple());
    let network = Network::build(config, 1, side, side)?;
    Ok(Size {
        parameters: network.parameter_count(),
        cost: graph_cost(&network.graph),
    })
}
