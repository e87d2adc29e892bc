//! scratch
use asl::jsonata::*;
use asl::json::Json;
#[global_allocator] static A: jsonata::Metered = jsonata::Metered::SYSTEM;
struct S;
impl Surroundings for S {
    fn states(&self, m: &str) -> Option<Json> { (m=="input").then(|| Json::parse("{\"a\":1,\"s\":\"txt\",\"xs\":[1,2,3],\"os\":[{\"k\":\"a\",\"v\":1},{\"k\":\"b\",\"v\":2}]}").unwrap()) }
    fn variable(&self, _: &str) -> Option<Json> { None }
    fn now_ms(&self) -> i64 { 1_700_000_000_123 }
    fn seed(&self) -> u64 { 7 }
}
fn main(){ let e = jsonata::Evaluator::default(); for l in std::io::stdin().lines(){ let l=l.unwrap(); let t0=std::time::Instant::now(); let r = match e.compile(&l){Ok(p)=>format!("{:?}", e.begin(&S).evaluate(&p).map(|v| v.map(|v| {let t=v.to_text(); if t.len()>300 {format!("{}… {}",t.chars().take(100).collect::<String>(),t.len())} else {t}}))),Err(r)=>format!("REFUSED {}",r.message)}; println!("{}\t{}\t{}ms\t{}KB", l.chars().take(100).collect::<String>(), r.chars().take(200).collect::<String>(), t0.elapsed().as_millis(), jsonata::peak_bytes()/1024); }}
