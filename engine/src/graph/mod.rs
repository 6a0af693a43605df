//! The typed graph: operations with shapes, cost, fusion, differentiation, memory plan.
