//! Faults that tests let a device have; nothing in the program itself.

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An allocation does not find room.
    Full,
    /// The driver resets.
    Lost,
    /// The driver refuses a call.
    Refused,
    /// The driver forgets a submission.
    Dropped,
    /// A submission never ends.
    Hung,
    /// A kernel does not write all of its result.
    Unwritten,
}

/// Which fault comes when.
#[derive(Debug, Default)]
pub(super) struct FaultPlan {
    #[cfg(test)]
    plan: std::sync::Mutex<Option<Planned>>,
}

#[cfg(test)]
#[derive(Debug)]
struct Planned {
    fault: Fault,
    /// Chances that pass first.
    before: usize,
    /// Whether it stays so from then on.
    lasting: bool,
    struck: bool,
}

impl FaultPlan {
    /// Whether this chance for a fault is the one that the test has chosen.
    #[cfg(not(test))]
    pub fn strikes(&self, _: Fault) -> bool {
        false
    }

    /// Whether this chance for a fault is the one that the test has chosen.
    #[cfg(test)]
    pub fn strikes(&self, fault: Fault) -> bool {
        let mut plan = super::context::lock(&self.plan);
        let Some(plan) = plan.as_mut().filter(|p| p.fault == fault) else {
            return false;
        };
        if plan.before > 0 {
            plan.before -= 1;
            return false;
        }
        let strikes = plan.lasting || !plan.struck;
        plan.struck = true;
        strikes
    }

    /// Lets `fault` strike after so many chances, once or from then on.
    #[cfg(test)]
    pub fn choose(&self, fault: Fault, before: usize, lasting: bool) {
        *super::context::lock(&self.plan) = Some(Planned {
            fault,
            before,
            lasting,
            struck: false,
        });
    }

    /// Whether it has struck; none does afterwards.
    #[cfg(test)]
    pub fn end(&self) -> bool {
        let plan = super::context::lock(&self.plan).take();
        plan.is_some_and(|p| p.struck)
    }
}
