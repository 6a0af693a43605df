//! All parameters in one buffer: where each lies.

use crate::backend::BackendError;
use crate::graph::{Graph, elements};

/// Floats each parameter's start is a multiple of: 256 bytes, what every device accepts.
const ALIGNMENT: usize = 64;

/// Places of the parameters in a flat buffer, decayed ones first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FlatLayout {
    /// First float and number of floats of each parameter, in the graph's order.
    pub(super) places: Vec<(usize, usize)>,
    /// Floats up to the end of the last decayed parameter.
    pub(super) decayed: usize,
    /// Floats of the whole buffer.
    pub(super) total: usize,
}

impl FlatLayout {
    /// Lays out the graph's parameters.
    ///
    /// # Errors
    /// [`BackendError::Operand`] when `decay` does not name each parameter once.
    pub(super) fn new(graph: &Graph, decay: &[bool]) -> Result<Self, BackendError> {
        if decay.len() != graph.parameters.len() {
            return Err(BackendError::Operand {
                what: "weight decay flags".to_owned(),
                expected: graph.parameters.len(),
                got: decay.len(),
            });
        }
        let mut places = vec![(0, 0); decay.len()];
        let (mut total, mut decayed) = (0, 0);
        for wanted in [true, false] {
            for (i, &parameter) in graph.parameters.iter().enumerate() {
                if decay[i] == wanted {
                    let len = elements(graph.dims(parameter));
                    places[i] = (total, len);
                    total += len.next_multiple_of(ALIGNMENT);
                }
            }
            if wanted {
                decayed = total;
            }
        }
        Ok(Self {
            places,
            decayed,
            total: total.max(ALIGNMENT),
        })
    }

    /// One vector a parameter into one flat vector, zeros in the gaps.
    ///
    /// # Errors
    /// [`BackendError::Operand`] when a vector has the wrong length.
    pub(super) fn flatten(
        &self,
        what: &str,
        tensors: &[Vec<f32>],
    ) -> Result<Vec<f32>, BackendError> {
        let operand = |what: String, expected, got| {
            Err(BackendError::Operand {
                what,
                expected,
                got,
            })
        };
        if tensors.len() != self.places.len() {
            let what = format!("{what}: number of tensors");
            return operand(what, self.places.len(), tensors.len());
        }
        let mut flat = vec![0.0; self.total];
        for (i, (&(start, len), tensor)) in self.places.iter().zip(tensors).enumerate() {
            if tensor.len() != len {
                return operand(format!("{what} of parameter {i}"), len, tensor.len());
            }
            flat[start..start + len].copy_from_slice(tensor);
        }
        Ok(flat)
    }

    /// The inverse of [`FlatLayout::flatten`].
    pub(super) fn split(&self, flat: &[f32]) -> Vec<Vec<f32>> {
        self.places
            .iter()
            .map(|&(start, len)| flat[start..start + len].to_vec())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn decayed_parameters_come_first_and_everything_is_aligned() {
        let mut graph = Graph::new();
        for (i, n) in [3usize, 100, 64].iter().enumerate() {
            graph.parameter(&i.to_string(), &[*n]);
        }
        let layout = FlatLayout::new(&graph, &[false, true, false]).unwrap();
        assert_eq!(layout.places, vec![(128, 3), (0, 100), (192, 64)]);
        assert_eq!((layout.decayed, layout.total), (128, 256));
        let tensors = vec![vec![1.0; 3], vec![2.0; 100], vec![3.0; 64]];
        let flat = layout.flatten("weights", &tensors).unwrap();
        assert_eq!(flat.iter().filter(|&&x| x == 0.0).count(), 256 - 167);
        assert_eq!(layout.split(&flat), tensors);
        assert!(layout.flatten("weights", &tensors[1..]).is_err());
        assert!(FlatLayout::new(&graph, &[true]).is_err());
    }
}
