//! Payloads are shared: what a chain of states does with its document, judged by counts, never by time.

use bench_payloads::chain::{PASS, SHAPES, Shape, machine, run, start};
use bench_payloads::counting::{Count, count};
use bench_payloads::document::order;
use bench_payloads::limits;
use bench_payloads::measure::{self, Chain, Growth};
use engine::Change;

const SMALL: usize = 2 * 1024;
const LARGE: usize = 200 * 1024;
const STATES: usize = 100;

/// What one state that passes on may allocate, in bytes: two history events and their share of growing lists. A copy of
/// the large document would be a hundred times as much.
const PASS_BYTES_MAX: u64 = 2 * 1024;

/// A large document makes the engine look once for payloads that nobody needs any more: a list of their names.
const SWEEP_BYTES_MAX: u64 = 1024;

fn decide(shape: Shape, states: usize, document: &str) -> Count {
    let machine = machine(shape, states).expect("the shapes are valid");
    let start = start(document.into());
    let (ran, count) = count(|| run(&machine, start));
    ran.expect("the chains succeed");
    count
}

fn measured(shape: Shape, document: &str) -> Chain {
    measure::chain(shape, STATES, document, 1).expect("the chains succeed")
}

fn growth(name: &str) -> Growth {
    let shape = *SHAPES.iter().find(|shape| shape.name == name).expect("a shape of that name");
    let (small, large) = (order(SMALL), order(LARGE));
    let (first, last) = (measured(shape, &small), measured(shape, &large));
    measure::growth((&first, limits::parse(&small)), (&last, limits::parse(&large)))
}

/// Whether a count is the wanted whole number. What is counted is a sum of large things and of small ones, such as the
/// buffers that a text is written in; one large thing more or less would change it by a whole.
fn is(figure: f64, wanted: f64) -> bool {
    (figure - wanted).abs() < 0.25
}

#[test]
fn a_chain_of_passes_allocates_nothing_for_its_document() {
    let (small, large) = (decide(PASS, STATES, &order(SMALL)), decide(PASS, STATES, &order(LARGE)));
    let more = large.bytes.saturating_sub(small.bytes);
    assert!(more < SWEEP_BYTES_MAX, "{more} bytes more for a hundred times the document");
    assert!(large.bytes < STATES as u64 * PASS_BYTES_MAX, "{} bytes over {STATES} states", large.bytes);
}

#[test]
fn a_chain_of_passes_costs_the_same_at_each_state() {
    let document = order(LARGE);
    let marginal = |from: usize, to: usize| {
        let bytes = decide(PASS, to, &document).bytes - decide(PASS, from, &document).bytes;
        bytes / (to - from) as u64
    };
    // Lists double as they grow, so a single state may pay for many: ranges between powers of two average that.
    assert!(marginal(16, 128) < PASS_BYTES_MAX, "{} bytes", marginal(16, 128));
    assert!(marginal(1024, 8192) < PASS_BYTES_MAX, "{} bytes", marginal(1024, 8192));
}

#[test]
fn a_chain_of_passes_journals_its_document_once_and_verbatim() {
    // Spaces show that the text was not written anew.
    let document = format!(" {} ", order(LARGE));
    let machine = machine(PASS, STATES).expect("the shapes are valid");
    let (execution, transition) = run(&machine, start(document.as_str().into())).expect("the chains succeed");
    let texts: Vec<&str> = transition
        .changes
        .iter()
        .filter_map(|change| if let Change::Payload(_, text) = change { Some(&**text) } else { None })
        .collect();
    assert_eq!(texts, [document.as_str()]);
    let output = execution.output.and_then(|output| execution.text(output)).expect("it succeeded");
    assert_eq!(&*output, document, "the output is the input");
    let journal = transition.encode();
    assert!(journal.len() < document.len() + STATES * 200, "{} bytes", journal.len());
}

#[test]
fn looking_into_a_document_parses_it_once_and_journals_it_once() {
    for name in ["InputPath", "Parameters", "Assign", "Choice", "Query"] {
        let growth = growth(name);
        assert!(is(growth.parses, 1.0), "{name}: parsed {} times", growth.parses);
        assert!(is(growth.journaled, 1.0), "{name}: {} times in the journal", growth.journaled);
    }
}

#[test]
fn adding_a_member_parses_once_and_writes_each_state_once() {
    let growth = growth("ResultPath");
    assert!(is(growth.parses, 1.0), "parsed {} times", growth.parses);
    let texts = STATES as f64 + 1.0;
    assert!(is(growth.journaled, texts), "{} times in the journal", growth.journaled);
}

#[test]
fn a_chain_that_copies_would_be_found() {
    // The counts that the other tests trust do see a copy: of the text, and of its tree.
    let document = order(LARGE);
    let (_, copied) = count(|| document.clone());
    assert_eq!(copied, Count { allocations: 1, bytes: document.len() as u64 });
    assert!(limits::parse(&document).allocations > 10_000);
}
