//! The typed graph: operations with shapes, cost, fusion, differentiation, memory plan.
//!
//! A network is described once as a [`Graph`] of [`Op`]s over named values.
//! Inference, training, cost counting and every backend read that description.
//! Activations are channel-last, `[B, H, W, C]`; a scan reads the `H × W` grid
//! as a sequence without a copy.

mod cost;
mod differentiate;
mod fuse;
mod fuse_backward;
mod fuse_blocks;
mod op;
mod plan;
mod recompute;
mod shape;
mod storage;

pub use cost::{Cost, graph_cost, node_cost};
pub use differentiate::{TrainingGraph, differentiate};
pub use fuse::fuse;
pub use fuse_backward::fuse_backward;
pub use fuse_blocks::fuse_blocks;
pub use op::{Activation, LAYER_NORM_EPSILON, Loss, Op, RearrangeOrder, ScanSpec};
pub use plan::{BufferId, MemoryPlan, Step, plan_memory};
pub use recompute::recompute;
pub use shape::{Dims, ShapeError, elements, infer};
pub use storage::{Storage, gradient_scale, store_half, store_half_matrices};

/// Index of a value (input, parameter or node output) in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub usize);

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Supplied by the caller for every run.
    Input,
    /// A learned tensor, uploaded once.
    Parameter,
    /// Output `output` of node `node`.
    Node {
        /// Index into [`Graph::nodes`].
        node: usize,
        /// Which of the node's outputs.
        output: usize,
    },
}

/// A tensor of floats in the graph.
#[derive(Clone, Debug)]
pub struct Value {
    /// Unique among inputs and parameters; for node outputs, the node's label.
    pub name: String,
    /// Sizes, outermost first.
    pub dims: Dims,
    /// Where it comes from.
    pub source: Source,
    /// How a graphics device keeps it in memory.
    pub storage: Storage,
}

/// One operation with its operands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// Operands in the order the op documents.
    pub inputs: Vec<ValueId>,
    /// Results in the order the op documents.
    pub outputs: Vec<ValueId>,
    /// Where in the network it stands, for errors, traces and cost tables.
    pub label: String,
}

/// A directed acyclic graph of [`Op`]s; nodes are in execution order.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// All values.
    pub values: Vec<Value>,
    /// All nodes, each after the nodes it reads from.
    pub nodes: Vec<Node>,
    /// Values the caller supplies, in order.
    pub inputs: Vec<ValueId>,
    /// Learned values, in the order they were declared.
    pub parameters: Vec<ValueId>,
    /// Values the caller wants back, in order.
    pub outputs: Vec<ValueId>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a tensor the caller supplies.
    pub fn input(&mut self, name: &str, dims: &[usize]) -> ValueId {
        let id = self.push_value(name.to_owned(), dims.to_vec(), Source::Input);
        self.inputs.push(id);
        id
    }

    /// Declares a learned tensor.
    pub fn parameter(&mut self, name: &str, dims: &[usize]) -> ValueId {
        let id = self.push_value(name.to_owned(), dims.to_vec(), Source::Parameter);
        self.parameters.push(id);
        id
    }

    /// Appends a node and returns its outputs.
    ///
    /// # Errors
    /// [`ShapeError`] naming the op and label when the operands do not fit.
    pub fn node(
        &mut self,
        op: Op,
        inputs: &[ValueId],
        label: &str,
    ) -> Result<Vec<ValueId>, ShapeError> {
        let dims: Vec<&[usize]> = inputs.iter().map(|&v| self.dims(v)).collect();
        let shapes = infer(&op, &dims).map_err(|e| e.at(label))?;
        let node = self.nodes.len();
        let outputs = shapes
            .into_iter()
            .enumerate()
            .map(|(output, dims)| {
                self.push_value(label.to_owned(), dims, Source::Node { node, output })
            })
            .collect::<Vec<_>>();
        self.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
            outputs: outputs.clone(),
            label: label.to_owned(),
        });
        Ok(outputs)
    }

    /// [`Graph::node`] for an op with one output.
    ///
    /// # Errors
    /// As [`Graph::node`].
    pub fn apply(
        &mut self,
        op: Op,
        inputs: &[ValueId],
        label: &str,
    ) -> Result<ValueId, ShapeError> {
        Ok(self.node(op, inputs, label)?[0])
    }

    /// The value behind an id.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0]
    }

    /// Sizes of a value, outermost first.
    pub fn dims(&self, id: ValueId) -> &[usize] {
        &self.values[id.0].dims
    }

    /// Number of elements of a value.
    pub fn len(&self, id: ValueId) -> usize {
        elements(self.dims(id))
    }

    /// Bytes a value takes in a graphics device's memory.
    pub fn bytes(&self, id: ValueId) -> u64 {
        self.value(id).storage.bytes() * self.len(id) as u64
    }

    /// True for a graph without nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Number of learned scalars.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(|&p| self.len(p)).sum()
    }

    /// Takes over `nodes` after a pass moved or merged them: values learn who makes them now.
    fn set_nodes(&mut self, nodes: Vec<Node>) {
        for (i, node) in nodes.iter().enumerate() {
            for (output, v) in node.outputs.iter().enumerate() {
                self.values[v.0].source = Source::Node { node: i, output };
            }
        }
        self.nodes = nodes;
    }

    fn push_value(&mut self, name: String, dims: Dims, source: Source) -> ValueId {
        self.values.push(Value {
            name,
            dims,
            source,
            storage: Storage::F32,
        });
        ValueId(self.values.len() - 1)
    }
}
