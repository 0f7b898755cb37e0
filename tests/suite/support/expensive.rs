//! Components that cost a compiler or a validator more than their size suggests, grouped by what makes them expensive.

use wasm_encoder::{
    BlockType, CodeSection, Component, ConstExpr, ElementSection, Elements, Function, FunctionSection, InstructionSink,
    MemArg, MemorySection, MemoryType, Module, ModuleSection, RefType, TableSection, TableType, TypeSection, ValType,
};

/// Components of one kind; the larger the size, the more expensive.
pub struct Family {
    /// What is expensive; `{}` stands for the size.
    pub name: &'static str,
    /// Makes the component of this size.
    pub component: fn(u32) -> Vec<u8>,
    /// Sizes from harmless to refused.
    pub sizes: &'static [u32],
}

pub const FAMILIES: &[Family] = &[
    Family { name: "{} calls of 1,000 parameters and results", component: wide_calls, sizes: &[5, 50, 400, 2_000] },
    Family { name: "2,000 calls of {} parameters and results", component: calls_of_width, sizes: &[8, 40, 100, 400] },
    Family { name: "{} calls by reference of 1,000 values", component: wide_indirect_calls, sizes: &[5, 50, 2_000] },
    Family { name: "{} conditional branches with 1,000 values", component: wide_branches, sizes: &[5, 200, 20_000] },
    Family { name: "a table of {} branches with 1,000 values", component: wide_tables, sizes: &[5, 200, 60_000] },
    Family { name: "{} loops with 1,000 values", component: wide_loops, sizes: &[1, 200, 5_000] },
    Family { name: "2,000 values across {} branches", component: live_values, sizes: &[1_000, 20_000, 60_000] },
    Family { name: "1,000 locals that change in {} loops", component: changing_locals, sizes: &[100, 4_000, 20_000] },
    Family { name: "{} blocks in one another", component: nested_blocks, sizes: &[1_000, 19_000, 50_000] },
    Family { name: "{} functions of 50,000 locals", component: many_locals, sizes: &[20, 190, 5_000] },
    Family { name: "{} tables of 1,000 branches", component: many_tables, sizes: &[10, 900, 1_200] },
    Family { name: "{} functions of one constant", component: many_functions, sizes: &[10_000, 100_000, 200_000] },
    Family { name: "a function of {} additions", component: additions, sizes: &[10_000, 200_000, 500_000] },
    Family { name: "types of {} fields between parts", component: adapters, sizes: &[2, 60, 300] },
];

/// A module under construction, with the functions added so far.
struct Bodies {
    /// The number of parameters and of results of type 1. Type 0 has neither; type 2 has no parameter and returns an
    /// i32.
    width: u32,
    code: CodeSection,
    types: Vec<u32>,
}

impl Bodies {
    fn of(width: u32) -> Bodies {
        Bodies { width, code: CodeSection::new(), types: Vec::new() }
    }

    fn function(mut self, ty: u32, locals: u32, body: impl FnOnce(&mut InstructionSink<'_>)) -> Bodies {
        let mut function = Function::new([(locals, ValType::I32)]);
        body(&mut function.instructions());
        function.instructions().end();
        self.code.function(&function);
        self.types.push(ty);
        self
    }

    fn component(self) -> Vec<u8> {
        let wide = || std::iter::repeat_n(ValType::I32, self.width as usize);
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function(wide(), wide());
        types.ty().function([], [ValType::I32]);
        let (mut functions, mut tables, mut memories) =
            (FunctionSection::new(), TableSection::new(), MemorySection::new());
        for ty in &self.types {
            functions.function(*ty);
        }
        let table =
            TableType { element_type: RefType::FUNCREF, table64: false, minimum: 1, maximum: None, shared: false };
        tables.table(table);
        memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
        let mut elements = ElementSection::new();
        elements.active(None, &ConstExpr::i32_const(0), Elements::Functions([0].as_slice().into()));
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&tables).section(&memories);
        module.section(&elements).section(&self.code);
        let mut component = Component::new();
        component.section(&ModuleSection(&module));
        component.finish()
    }
}

/// Pushes `count` values that are not known before the function runs.
fn values(sink: &mut InstructionSink<'_>, count: u32) {
    for n in 0..count {
        sink.i32_const(0).i32_load(MemArg { offset: u64::from(n * 4), align: 2, memory_index: 0 });
    }
}

fn drops(sink: &mut InstructionSink<'_>, count: u32) {
    for _ in 0..count {
        sink.drop();
    }
}

/// The body of a function that returns its parameters.
fn same(width: u32) -> impl FnOnce(&mut InstructionSink<'_>) {
    move |sink| (0..width).for_each(|n| _ = sink.local_get(n))
}

fn calls(count: u32, width: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        values(sink, width);
        (0..count).for_each(|_| _ = sink.call(0));
        drops(sink, width);
    };
    Bodies::of(width).function(1, 0, same(width)).function(0, 0, body).component()
}

fn wide_calls(count: u32) -> Vec<u8> {
    calls(count, 1_000)
}

fn calls_of_width(width: u32) -> Vec<u8> {
    calls(2_000, width)
}

fn wide_indirect_calls(count: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        values(sink, 1_000);
        (0..count).for_each(|_| _ = sink.i32_const(0).call_indirect(0, 1));
        drops(sink, 1_000);
    };
    Bodies::of(1_000).function(1, 0, same(1_000)).function(0, 0, body).component()
}

fn wide_branches(count: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        values(sink, 1_000);
        sink.block(BlockType::FunctionType(1));
        (0..count)
            .for_each(|_| _ = sink.i32_const(0).i32_load8_u(MemArg { offset: 9, align: 0, memory_index: 0 }).br_if(0));
        sink.end();
        drops(sink, 1_000);
    };
    Bodies::of(1_000).function(0, 0, body).component()
}

fn wide_tables(targets: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        values(sink, 1_000);
        sink.block(BlockType::FunctionType(1)).block(BlockType::FunctionType(1));
        let targets: Vec<u32> = (0..targets).map(|n| n % 2).collect();
        sink.i32_const(0).i32_load8_u(MemArg { offset: 9, align: 0, memory_index: 0 }).br_table(targets, 0);
        sink.end().end();
        drops(sink, 1_000);
    };
    Bodies::of(1_000).function(0, 0, body).component()
}

fn wide_loops(count: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        values(sink, 1_000);
        for _ in 0..count {
            sink.loop_(BlockType::FunctionType(1));
            sink.i32_const(0).i32_load8_u(MemArg { offset: 9, align: 0, memory_index: 0 }).br_if(0).end();
        }
        drops(sink, 1_000);
    };
    Bodies::of(1_000).function(0, 0, body).component()
}

fn live_values(branches: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        values(sink, 2_000);
        for _ in 0..branches {
            sink.block(BlockType::Empty).i32_const(0).i32_load8_u(MemArg { offset: 9, align: 0, memory_index: 0 });
            sink.br_if(0).end();
        }
        (0..1_999).for_each(|_| _ = sink.i32_add());
        sink.drop();
    };
    Bodies::of(1).function(0, 0, body).component()
}

fn changing_locals(loops: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        for n in 0..1_000 {
            sink.i32_const(0).i32_load(MemArg { offset: u64::from(n), align: 0, memory_index: 0 }).local_set(n);
        }
        for n in 0..loops {
            sink.loop_(BlockType::Empty);
            sink.local_get(n % 1_000).i32_const(1).i32_add().local_tee((n * 7) % 1_000);
            sink.br_if(0).end();
        }
        for n in 0..1_000 {
            sink.i32_const(0).local_get(n).i32_store(MemArg { offset: 0, align: 0, memory_index: 0 });
        }
    };
    Bodies::of(1).function(0, 1_000, body).component()
}

fn nested_blocks(depth: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        (0..depth).for_each(|_| _ = sink.block(BlockType::Empty));
        (0..depth).for_each(|_| _ = sink.i32_const(0).br_if(0).end());
    };
    Bodies::of(1).function(0, 0, body).component()
}

fn many_locals(functions: u32) -> Vec<u8> {
    (0..functions).fold(Bodies::of(1), |bodies, _| bodies.function(0, 50_000, |_| {})).component()
}

fn many_tables(count: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        for _ in 0..count {
            sink.block(BlockType::Empty).i32_const(0).i32_load8_u(MemArg { offset: 9, align: 0, memory_index: 0 });
            sink.br_table(std::iter::repeat_n(0, 1_000).collect::<Vec<u32>>(), 0).end();
        }
    };
    Bodies::of(1).function(0, 0, body).component()
}

fn many_functions(count: u32) -> Vec<u8> {
    (0..count).fold(Bodies::of(1), |bodies, _| bodies.function(2, 0, |sink| _ = sink.i32_const(7))).component()
}

fn additions(count: u32) -> Vec<u8> {
    let body = |sink: &mut InstructionSink<'_>| {
        sink.i32_const(1);
        (0..count).for_each(|n| _ = sink.i32_const(n.cast_signed() % 60).i32_add());
    };
    Bodies::of(1).function(2, 0, body).component()
}

/// Two parts: one imports 100 functions of the other, each of which takes a list of records of records.
fn adapters(fields: u32) -> Vec<u8> {
    let record = |of: &str| {
        let fields: String = (0..fields).map(|n| format!("(field \"f{n}\" {of})")).collect();
        format!("(record {fields})")
    };
    let types = |types: &str| format!("(type $a' {}) {types} (type $b' {})", record("string"), record("$a"));
    let exported = types(r#"(export $a "a" (type $a'))"#);
    let functions = 100;
    let lifted: String = (0..functions)
        .map(|n| {
            format!(
                r#"(func $f{n} (param "x" (list $b)) (canon lift (core func $i "f") (memory $i "memory") (realloc (func $i "realloc"))))
                   (export "f{n}" (func $f{n}))"#
            )
        })
        .collect();
    let imported: String = (0..functions).map(|n| format!(r#"(export "f{n}" (func (param "x" (list $b))))"#)).collect();
    let lowered: String = (0..functions)
        .map(|n| {
            format!(
                r#"(core func (canon lower (func $from "f{n}") (memory $i "memory") (realloc (func $i "realloc"))))"#
            )
        })
        .collect();
    let module = r#"(core module $m (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)) (func (export "f") (param i32 i32)))
        (core instance $i (instantiate $m))"#;
    let text = format!(
        r#"(component
  (component $one {module} {exported} (export $b "b" (type $b')) {lifted})
  (instance $one (instantiate $one))
  (component $two
    (import "from" (instance $from {imported_types} {imported}))
    {module} {lowered})
  (instance (instantiate $two (with "from" (instance $one)))))"#,
        imported_types = types(r#"(export "a" (type $a (eq $a')))"#) + r#" (export "b" (type $b (eq $b')))"#,
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}
