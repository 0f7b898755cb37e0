//! Estimates what the operators of a component cost a validator and a compiler, before either begins.
//!
//! Two costs grow faster than the bytes of a function. An operator with many operands moves each of them, and the
//! register allocator holds all of them at once: a call of two bytes may move 2,000 values. Each value that lives
//! through a function is processed again wherever its control flow splits or joins.

use wasmparser::{
    BlockType, CompositeInnerType, ContType, FrameKind, FuncType, FunctionBody, ModuleArity, Operator, RecGroup,
    RefType, SubType,
};

/// The most operands and results of an operator that cost nothing extra: more do not fit into registers.
const NARROW: u64 = 16;

/// How many times more the beginning of a loop costs than a branch: each value gets a new name and a place where it is
/// kept.
const LOOP: u64 = 20;

/// The costs that grow faster than the bytes, summed over the functions of a component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ComponentCost {
    /// For each operator with more than [`NARROW`] operands and results, the square of their number, times its targets.
    pub(super) moves: u64,
    /// For each function, the values that live at once, times the places where its control flow splits or joins; a loop
    /// counts as [`LOOP`] of them.
    pub(super) liveness: u64,
    /// Parameters and locals, including unused ones.
    pub(super) locals: u64,
    /// For each function, the square of the depth of its blocks.
    pub(super) nesting: u64,
}

/// The types and functions of a core module that are needed to count the operands of its operators.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    types: Vec<SubType>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    /// The number of functions with a body that were counted so far.
    bodies: usize,
    /// The number of imported functions.
    imported: usize,
}

impl Signatures {
    pub(super) fn add_types(&mut self, group: RecGroup) {
        self.types.extend(group.into_types());
    }

    pub(super) fn add_import(&mut self, ty: u32) {
        self.functions.push(ty);
        self.imported += 1;
    }

    pub(super) fn add_function(&mut self, ty: u32) {
        self.functions.push(ty);
    }

    fn function_type(&self, ty: u32) -> Option<&FuncType> {
        match &self.types.get(ty as usize)?.composite_type.inner {
            CompositeInnerType::Func(function) => Some(function),
            _ => None,
        }
    }
}

impl ComponentCost {
    /// Adds the next function of a module. Unreadable input is left to the validator.
    pub(super) fn add(&mut self, module: &mut Signatures, body: &FunctionBody<'_>) {
        let own = module.functions.get(module.imported + module.bodies).and_then(|ty| module.function_type(*ty));
        let (parameters, results) = own.map_or((0, 0), |own| (own.params().len(), own.results().len()));
        module.bodies += 1;
        let declared = body.get_locals_reader().into_iter().flatten().flatten();
        let locals = declared.map(|(count, _)| u64::from(count)).fold(parameters as u64, u64::saturating_add);
        let mut walk = Walk { module, control: Vec::new(), height: 0, highest: 0, edges: 0, moves: 0, deepest: 0 };
        walk.control.push(Frame { block: BlockType::Empty, kind: FrameKind::Block, base: 0 });
        for operator in body.get_operators_reader().into_iter().flatten() {
            let Ok(operator) = operator else { break };
            walk.step(&operator, results as u64);
        }
        self.locals = self.locals.saturating_add(locals);
        self.moves = self.moves.saturating_add(walk.moves);
        self.liveness = self.liveness.saturating_add(walk.edges.saturating_mul(locals.saturating_add(walk.highest)));
        self.nesting = self.nesting.saturating_add(walk.deepest.saturating_pow(2));
    }
}

struct Frame {
    block: BlockType,
    kind: FrameKind,
    /// The height of the operand stack below the block's parameters.
    base: u64,
}

/// A walk over the operators of one function.
struct Walk<'m> {
    module: &'m Signatures,
    control: Vec<Frame>,
    height: u64,
    highest: u64,
    edges: u64,
    moves: u64,
    deepest: u64,
}

impl Walk<'_> {
    fn step(&mut self, operator: &Operator<'_>, results: u64) {
        let (taken, given) = operator.operator_arity(self).unwrap_or((0, 0));
        let (mut taken, given) = (u64::from(taken), u64::from(given));
        if matches!(operator, Operator::Return) {
            taken = results;
        }
        let mut targets = 1;
        match operator {
            Operator::Block { blockty } => self.enter(*blockty, FrameKind::Block, taken, 0),
            Operator::Loop { blockty } => self.enter(*blockty, FrameKind::Loop, taken, 0),
            Operator::If { blockty } => self.enter(*blockty, FrameKind::If, taken.saturating_sub(1), 1),
            Operator::Else => {
                if let Some(frame) = self.control.last_mut() {
                    frame.kind = FrameKind::Else;
                    self.height = frame.base + given;
                }
                self.edges += 1;
            }
            Operator::End => {
                if let Some(frame) = self.control.pop() {
                    self.height = frame.base + given;
                }
                self.edges += 1;
            }
            Operator::Br { .. } | Operator::BrIf { .. } | Operator::Return => self.edges += 1,
            Operator::BrTable { targets: table } => {
                targets = u64::from(table.len()) + 1;
                self.edges += targets;
            }
            _ => self.height = self.height.saturating_sub(taken) + given,
        }
        self.highest = self.highest.max(self.height);
        let width = taken + given;
        if width > NARROW {
            self.moves = self.moves.saturating_add((width * width).saturating_mul(targets));
        }
    }

    fn enter(&mut self, block: BlockType, kind: FrameKind, parameters: u64, popped: u64) {
        self.height = self.height.saturating_sub(popped);
        let base = self.height.saturating_sub(parameters);
        self.control.push(Frame { block, kind, base });
        self.deepest = self.deepest.max(self.control.len() as u64);
        self.edges += if kind == FrameKind::Loop { LOOP } else { 1 };
    }
}

impl ModuleArity for Walk<'_> {
    fn sub_type_at(&self, index: u32) -> Option<&SubType> {
        self.module.types.get(index as usize)
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn type_index_of_function(&self, function: u32) -> Option<u32> {
        self.module.functions.get(function as usize).copied()
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        u32::try_from(self.control.len()).unwrap_or(u32::MAX)
    }

    fn label_block(&self, depth: u32) -> Option<(BlockType, FrameKind)> {
        let at = self.control.len().checked_sub(depth as usize + 1)?;
        self.control.get(at).map(|frame| (frame.block, frame.kind))
    }
}
