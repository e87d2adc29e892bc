//! `cargo run --release -p bench-payloads [-- --json]`: measures, and prints tables or JSON.
//!
//! Chooses sizes and lengths; what is measured and how it is shown is told in the library.

use anyhow::{Result, bail};
use bench_payloads::chain::SHAPES;
use bench_payloads::document::order;
use bench_payloads::limits::{floors, parse};
use bench_payloads::measure::{TRIES, chain, growth};
use bench_payloads::table::Report;

/// Of documents: an ordinary event, a large one, and one near the limit of 256 KiB.
const DOCUMENT_BYTES: [usize; 3] = [2 * 1024, 20 * 1024, 200 * 1024];
/// Of chains: so that what is spent once can be told from what is spent at each state.
const STATES: [usize; 2] = [10, 100];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--json"] => true,
        other => bail!("the only argument is --json, not '{}'", other.join(" ")),
    };
    let report = measured()?;
    if as_json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.text());
    }
    Ok(())
}

fn measured() -> Result<Report> {
    let documents = DOCUMENT_BYTES.map(order);
    let mut report = Report::default();
    for document in &documents {
        report.floors.push((document.len(), floors(document)));
    }
    for shape in SHAPES {
        for states in STATES {
            let [small, .., large] = &documents;
            let chains = documents.iter().map(|document| chain(*shape, states, document, TRIES));
            let chains = chains.collect::<Result<Vec<_>>>()?;
            if let [first, .., last] = chains.as_slice() {
                let growth = growth((first, parse(small)), (last, parse(large)));
                report.growths.push((shape.name, states, growth));
            }
            report.chains.extend(chains);
        }
    }
    Ok(report)
}
