//! Random expressions over random documents: our values and codes against the oracle's.
//!
//! A case is a seed, so that a difference is named by it and found again.

use crate::javascript::Oracle;
use crate::ours::{self, Outcome};

/// How many cases a run has.
const CASES: u64 = 3_000;

/// Where a difference is known: part of the expression, and why.
const KNOWN: [(&str, &str); 8] = [
    ("= $states.input.os^(", "`a = b^(c)` orders b here; in jsonata-js `^` binds no tighter than `=`"),
    ("$l.v > $r.v", "a comparison that is no order sorts by the algorithm, which is not the same"),
    ("$l > $r", "as above"),
    ("[[0..1]]", "jsonata-js 2.0.6 leaves holes where an item has no such field"),
    (".c[true]", "as above"),
    ("os@$x", "jsonata-js goes over an empty list once, with nothing"),
    ("xs{", "jsonata-js leaves a hole in an empty list that it has grouped, also in the input"),
    (" % ", "x % 0 is NaN; jsonata-js refuses to go on with that, the library goes on"),
];

/// Of so many cases one may differ as known.
const CASES_PER_KNOWN: u64 = 200;

fn is_known(expression: &str, theirs: &Outcome, ours: &Outcome) -> bool {
    // The oracle evaluates the parts of a constructor side by side: another of two failures may come first.
    let both_fail = matches!((theirs, ours), (Outcome::Error { .. }, Outcome::Error { .. }));
    let parts = expression.contains('[') || expression.contains('{');
    (both_fail && parts) || KNOWN.iter().any(|(part, _)| expression.contains(part))
}

#[test]
fn random_expressions_give_what_the_oracle_gives() {
    let Some(oracle) = Oracle::summon() else { return };
    let first: u64 = std::env::var("LOVELESS_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let (mut values, mut failures, mut wrong, mut excused) = (0, 0, Vec::new(), 0);
    for seed in first..first + CASES {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let document = dice.document();
        let expression = dice.expression(4);
        let (theirs, ours) =
            (oracle.evaluate(&expression, &document), ours::evaluate(&expression, &document));
        if theirs.agrees(&ours) {
            match theirs {
                Outcome::Value(_) => values += 1,
                _ => failures += 1,
            }
        } else if is_known(&expression, &theirs, &ours) {
            excused += 1;
        } else {
            wrong.push(format!(
                "{seed}: {expression}\n  on      {document}\n  theirs: {theirs:?}\n  ours:   {ours:?}"
            ));
        }
    }
    println!(
        "{values} values and {failures} failures alike, {excused} differ as known, {} otherwise",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(excused * CASES_PER_KNOWN <= CASES, "{excused} differ as known: too many to be the known ones");
    assert!(values * 3 > CASES, "most expressions should have a value; {values} have");
}

/// A small deterministic generator (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides
    }

    fn pick(&mut self, choices: &[&str]) -> String {
        choices[self.roll(choices.len())].to_owned()
    }

    fn document(&mut self) -> String {
        format!(
            r#"{{"a":{},"b":{},"s":{},"t":{},"n":null,"y":{},"xs":{},"ss":{},"os":{},"o":{}}}"#,
            self.number(),
            self.number(),
            self.text(),
            self.text(),
            self.pick(&["true", "false"]),
            self.list(Dice::number),
            self.list(Dice::text),
            self.list(Dice::object),
            self.object()
        )
    }

    fn number(&mut self) -> String {
        self.pick(&["0", "1", "2", "3", "-1", "10", "2.5", "-0.75", "100", "7", "1e3"])
    }

    fn text(&mut self) -> String {
        self.pick(&[
            r#""""#,
            r#""a""#,
            r#""b""#,
            r#""abc""#,
            r#""a,b,c""#,
            r#""Hello World""#,
            r#""12""#,
            r#""é€""#,
            r#"" x ""#,
        ])
    }

    fn list(&mut self, mut item: impl FnMut(&mut Dice) -> String) -> String {
        let items: Vec<String> = (0..self.roll(5)).map(|_| item(self)).collect();
        format!("[{}]", items.join(","))
    }

    fn object(&mut self) -> String {
        let mut members = vec![format!(r#""k":{}"#, self.text())];
        if self.roll(4) > 0 {
            members.push(format!(r#""v":{}"#, self.number()));
        }
        if self.roll(3) == 0 {
            members.push(format!(r#""c":{}"#, self.list(Dice::number)));
        }
        if self.roll(4) == 0 {
            members.push(format!(r#""p":{{"q":{}}}"#, self.number()));
        }
        format!("{{{}}}", members.join(","))
    }

    /// An expression of any type.
    fn expression(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf();
        }
        match self.roll(12) {
            0 => self.numeric(depth - 1),
            1 => self.textual(depth - 1),
            2 => self.logical(depth - 1),
            3 => self.sequence(depth - 1),
            4 => self.constructed(depth - 1),
            5 => format!(
                "({} ? {} : {})",
                self.logical(depth - 1),
                self.expression(depth - 1),
                self.expression(depth - 1)
            ),
            6 => format!("($z := {}; {})", self.expression(depth - 1), self.using("$z", depth - 1)),
            7 => self.function(depth - 1),
            8 => self.ordered(depth - 1),
            9 => self.grouped(depth - 1),
            10 => self.wild(depth - 1),
            _ => self.leaf(),
        }
    }

    fn leaf(&mut self) -> String {
        self.pick(&[
            "$states.input.a",
            "$states.input.b",
            "$states.input.s",
            "$states.input.t",
            "$states.input.n",
            "$states.input.y",
            "$states.input.xs",
            "$states.input.ss",
            "$states.input.os",
            "$states.input.o",
            "$states.input.o.k",
            "$states.input.o.v",
            "$states.input.o.p.q",
            "$states.input.none",
            "$states.input.os.k",
            "$states.input.os.v",
            "$states.input.os.c",
            "$states.input.os.p.q",
            "$states.input.xs[0]",
            "$states.input.xs[-1]",
            "$states.input.os[0]",
            "$states.input.os[0].k",
            "1",
            "2",
            "0",
            "-3",
            "2.5",
            "\"a\"",
            "\"abc\"",
            "\"\"",
            "true",
            "false",
            "null",
            "[]",
            "{}",
        ])
    }

    fn numeric(&mut self, depth: usize) -> String {
        let operator = self.pick(&["+", "-", "*", "/", "%"]);
        match self.roll(8) {
            0 => self.pick(&["$states.input.a", "$states.input.b", "$states.input.o.v", "7", "1.5"]),
            1 => format!("$count({})", self.expression(depth.saturating_sub(1))),
            2 => format!("$sum({})", self.numbers()),
            3 => format!("{}({})", self.pick(&["$max", "$min", "$average"]), self.numbers()),
            4 => format!(
                "{}({})",
                self.pick(&["$abs", "$floor", "$ceil", "$round", "$string", "$number"]),
                self.simple()
            ),
            5 => format!("$length({})", self.texts()),
            6 => format!("-({})", self.simple()),
            _ if depth == 0 => self.simple(),
            _ => format!("({} {operator} {})", self.numeric(depth - 1), self.numeric(depth - 1)),
        }
    }

    fn simple(&mut self) -> String {
        self.pick(&[
            "$states.input.a",
            "$states.input.b",
            "$states.input.o.v",
            "$states.input.s",
            "$states.input.none",
            "3",
            "2.25",
            "-7.5",
            "\"12\"",
            "\"x\"",
            "null",
            "true",
        ])
    }

    fn numbers(&mut self) -> String {
        self.pick(&[
            "$states.input.xs",
            "$states.input.os.v",
            "[1,2,3]",
            "[1..4]",
            "$states.input.os.c",
            "$states.input.a",
            "$states.input.ss",
            "[]",
            "$states.input.none",
            "$states.input.xs[$ > 1]",
        ])
    }

    fn texts(&mut self) -> String {
        self.pick(&[
            "$states.input.s",
            "$states.input.t",
            "$states.input.o.k",
            "\"a,b\"",
            "$states.input.none",
            "$states.input.a",
            "$states.input.ss[0]",
            "\"Zürich\"",
        ])
    }

    fn textual(&mut self, depth: usize) -> String {
        match self.roll(16) {
            0 => format!("$uppercase({})", self.texts()),
            1 => format!("$lowercase({})", self.texts()),
            2 => format!("$trim({})", self.texts()),
            3 => format!("$substring({}, {})", self.texts(), self.pick(&["0", "1", "-2", "5"])),
            4 => format!(
                "$substring({}, {}, {})",
                self.texts(),
                self.pick(&["0", "1", "-3"]),
                self.pick(&["0", "1", "2", "9"])
            ),
            5 => format!(
                "$substringBefore({}, {})",
                self.texts(),
                self.pick(&["\",\"", "\"a\"", "\"\"", "\"zz\""])
            ),
            6 => format!(
                "$substringAfter({}, {})",
                self.texts(),
                self.pick(&["\",\"", "\"a\"", "\"\"", "\"zz\""])
            ),
            7 => format!("$split({}, {})", self.texts(), self.pick(&["\",\"", "\"\"", "/[,b]/", "\"a\""])),
            8 => format!(
                "$join({}, {})",
                self.pick(&[
                    "$states.input.ss",
                    "[\"a\",\"b\"]",
                    "$states.input.os.k",
                    "$states.input.s",
                    "[]",
                    "$states.input.xs"
                ]),
                self.pick(&["\"-\"", "\"\"", "\", \""])
            ),
            9 => format!(
                "$replace({}, {}, {})",
                self.texts(),
                self.pick(&["\"a\"", "/[a-c]/", "/b/i", "\",\"", "/(a)(b)?/"]),
                self.pick(&["\"x\"", "\"\"", "\"[$1]\"", "\"$$\"", "\"<$0>\""])
            ),
            10 => format!("$contains({}, {})", self.texts(), self.pick(&["\"a\"", "/^a/", "/B/i", "\"\""])),
            11 => format!("$match({}, {})", self.texts(), self.pick(&["/a/", "/([a-z])([a-z])/", "/l+/"])),
            12 => format!(
                "$pad({}, {}, {})",
                self.texts(),
                self.pick(&["5", "-5", "0", "2"]),
                self.pick(&["\" \"", "\"#\"", "\"ab\""])
            ),
            13 => format!("$string({})", self.expression(depth.saturating_sub(1))),
            14 => format!(
                "$formatNumber({}, {})",
                self.simple(),
                self.pick(&["\"0\"", "\"#,##0.00\"", "\"00.0%\"", "\"#0.0;(#0.0)\""])
            ),
            _ => format!("({} & {})", self.expression(depth.saturating_sub(1)), self.texts()),
        }
    }

    fn logical(&mut self, depth: usize) -> String {
        match self.roll(7) {
            0 => format!("({} = {})", self.expression(depth.saturating_sub(1)), self.leaf()),
            1 => format!("({} != {})", self.leaf(), self.leaf()),
            2 => format!("({} {} {})", self.simple(), self.pick(&["<", ">", "<=", ">="]), self.simple()),
            3 => format!("({} {} {})", self.leaf(), self.pick(&["and", "or"]), self.leaf()),
            4 => format!(
                "{}({})",
                self.pick(&["$not", "$exists", "$boolean"]),
                self.expression(depth.saturating_sub(1))
            ),
            5 => format!("({} in {})", self.leaf(), self.leaf()),
            _ => self.pick(&["true", "false", "$states.input.y"]),
        }
    }

    fn items(&mut self) -> String {
        self.pick(&[
            "$states.input.xs",
            "$states.input.ss",
            "$states.input.os",
            "[1,2,3]",
            "[1..5]",
            "$states.input.os.c",
            "$states.input.os.k",
            "$states.input.o",
            "$states.input.none",
            "[[1,2],[3]]",
            "[\"b\",\"a\"]",
        ])
    }

    fn sequence(&mut self, depth: usize) -> String {
        let items = self.items();
        match self.roll(13) {
            0 => format!("$append({items}, {})", self.items()),
            1 => format!("$reverse({items})"),
            2 => format!("$distinct({items})"),
            3 => format!("$zip({items}, {})", self.items()),
            4 => format!("$keys({items})"),
            5 => format!("$lookup({items}, {})", self.pick(&["\"k\"", "\"v\"", "\"x\""])),
            6 => format!(
                "$spread({})",
                self.pick(&["$states.input.o", "$states.input.os", "{\"a\":1,\"b\":2}"])
            ),
            7 => format!(
                "$merge({})",
                self.pick(&["$states.input.os", "[{\"a\":1},{\"b\":2}]", "$states.input.o"])
            ),
            8 => format!(
                "{items}[{}]",
                self.pick(&[
                    "0",
                    "-1",
                    "1",
                    "[0..1]",
                    "$ = 1",
                    "$ > 1",
                    "k = \"a\"",
                    "v > 1",
                    "true",
                    "$string($) = \"a\""
                ])
            ),
            9 => format!(
                "{items}.{}",
                self.pick(&[
                    "k",
                    "v",
                    "($)",
                    "($ & \"x\")",
                    "{\"i\": $}",
                    "[k, v]",
                    "$string($)",
                    "[$]",
                    "c",
                    "c[0]",
                    "p.q",
                    "*"
                ])
            ),
            10 => format!("{items}[]"),
            11 => format!(
                "[{}..{}]",
                self.pick(&["0", "1", "3", "$states.input.a"]),
                self.pick(&["2", "5", "$states.input.b"])
            ),
            _ => format!("$type({})", self.expression(depth.saturating_sub(1))),
        }
    }

    fn constructed(&mut self, depth: usize) -> String {
        match self.roll(3) {
            0 => format!("[{}, {}]", self.expression(depth), self.expression(depth.saturating_sub(1))),
            1 => format!(
                "{{\"p\": {}, \"q\": {}}}",
                self.expression(depth),
                self.expression(depth.saturating_sub(1))
            ),
            _ => {
                format!("{}.{{\"k\": k, \"w\": v + 1}}", self.pick(&["$states.input.os", "$states.input.o"]))
            }
        }
    }

    fn using(&mut self, name: &str, depth: usize) -> String {
        match self.roll(6) {
            0 => format!("[{name}, {name}]"),
            1 => format!("$count({name})"),
            2 => format!("{name} = {}", self.expression(depth.saturating_sub(1))),
            3 => format!("{name}[0]"),
            4 => format!("{name}.k"),
            _ => format!("$string({name})"),
        }
    }

    fn function(&mut self, depth: usize) -> String {
        let items = self.items();
        match self.roll(10) {
            0 => format!("$map({items}, function($v, $i){{ {} }})", self.body()),
            1 => format!(
                "$filter({items}, function($v, $i){{ {} }})",
                self.pick(&["$v = 1", "$i > 0", "$v.v > 1", "$exists($v.k)", "$v", "$v > \"a\""])
            ),
            2 => format!(
                "$reduce({items}, function($a, $v){{ {} }})",
                self.pick(&["$a + $v", "$a & $v", "$append($a, $v)", "$v"])
            ),
            3 => format!(
                "$reduce({items}, function($a, $v){{ {} }}, {})",
                self.pick(&["$a + $v", "$a & $v", "$append($a, $v)", "$v"]),
                self.pick(&["0", "\"\"", "[]"])
            ),
            4 => format!(
                "$single({items}, function($v){{ {} }})",
                self.pick(&["$v = 1", "$v.k = \"a\"", "true"])
            ),
            5 => format!(
                "$each({}, function($v, $k){{ $k & \"=\" & $string($v) }})",
                self.pick(&["$states.input.o", "$states.input.os[0]", "{}"])
            ),
            6 => format!(
                "$sift({}, function($v, $k){{ {} }})",
                self.pick(&["$states.input.o", "$states.input.os[0]"]),
                self.pick(&["$v > 1", "$k = \"k\"", "$type($v) = \"number\""])
            ),
            7 => format!(
                "{items} ~> {}",
                self.pick(&[
                    "$count",
                    "$reverse",
                    "$map(function($v){ $v })",
                    "$append(1)",
                    "$sum",
                    "$string",
                    "$distinct() ~> $count"
                ])
            ),
            8 => format!(
                "(function($p, $q){{ {} }})({}, {})",
                self.pick(&["$p & $q", "[$p, $q]", "$p", "$p = $q", "$q ? $p : $q"]),
                self.expression(depth.saturating_sub(1)),
                self.leaf()
            ),
            _ => format!(
                "($f := function($n){{ $n <= 0 ? {} : {} }}; $f({}))",
                self.pick(&["0", "[]", "\"\""]),
                self.pick(&["$n + $f($n - 1)", "$append($f($n - 1), $n)", "$f($n - 1) & $n", "$f($n - 1)"]),
                self.pick(&["3", "0", "5", "8"])
            ),
        }
    }

    fn body(&mut self) -> String {
        self.pick(&[
            "$v",
            "$v + 1",
            "$v & \"!\"",
            "$i",
            "[$v, $i]",
            "{\"v\": $v}",
            "$v.k",
            "$string($v)",
            "$v = 1 ? \"one\" : $v",
            "$uppercase($v)",
            "$v.c[0]",
            "$not($v)",
        ])
    }

    fn ordered(&mut self, depth: usize) -> String {
        let items = self.items();
        match self.roll(5) {
            0 => format!("$sort({items})"),
            1 => format!(
                "$sort({items}, function($l, $r){{ {} }})",
                self.pick(&["$l > $r", "$l < $r", "$l.v > $r.v", "$string($l) > $string($r)"])
            ),
            2 => format!("{items}^({})", self.pick(&["$", ">$", "k", ">v", "k, >v", "$string($)"])),
            3 => {
                format!("$states.input.os^({}).{}", self.pick(&["k", ">v", "v"]), self.pick(&["k", "v", "c"]))
            }
            _ => {
                format!(
                    "{items}#$i.{}",
                    self.pick(&["($i)", "{\"i\": $i, \"x\": $}", "[$i]", "($string($) & $i)"])
                ) + if depth > 2 { "" } else { "[0]" }
            }
        }
    }

    fn grouped(&mut self, _: usize) -> String {
        match self.roll(4) {
            0 => format!(
                "$states.input.os{{(\"_\" & k): {}}}",
                self.pick(&["v", "$sum(v)", "$", "$count($)", "[v]", "c"])
            ),
            1 => format!("$states.input.ss{{(\"_\" & $): {}}}", self.pick(&["$count($)", "$", "1"])),
            2 => format!("$states.input.xs{{(\"_\" & $): {}}}", self.pick(&["$count($)", "$", "$sum($)"])),
            _ => {
                format!("$states.input.os@$x.{}", self.pick(&["k", "{\"k\": $x.k}", "[$x.v]", "(k & $x.k)"]))
            }
        }
    }

    fn wild(&mut self, _: usize) -> String {
        self.pick(&[
            "$states.input.*",
            "$states.input.**",
            "$states.input.**.k",
            "$states.input.o.*",
            "$states.input.os.*",
            "$states.input.os.%.a",
            "$states.input.os.c.%.k",
            "$states.input.o.p.q.%",
            "$states.input.*.k",
            "$states.input.o ~> |$|{\"z\": 1}|",
            "$states.input ~> |os|{\"v\": v * 2}, \"k\"|",
            "$states.input ~> |o|{\"k\": $uppercase(k)}|",
            "$states.input.**[v > 1].k",
            "$states.input.os[%.a = 1].k",
            "$states.input.os[v = $max($states.input.os.v)].k",
            "$states.input.[a, b]",
            "$states.input.{\"x\": a}",
        ])
    }
}
