// Checks a tanh RNN in Rust against vectors in JSON, with nothing but the standard library:
//
//     verify vectors rnn --json rnn.json
//     rustc --edition 2021 -O docs/vectors_reader.rs -o reader && ./reader rnn.json
//
// Replace `run` by your own layer; with serde_json, replace `Json` and `Reader`, too. It computes
// in f64: examples of float32 need f32. Exit code 1 where a result is outside of its bound.
use std::collections::BTreeMap;

#[derive(Debug)]
enum Json {
    Null,
    Number(f64),
    Text(String),
    Items(Vec<Json>),
    Members(BTreeMap<String, Json>),
}

impl Json {
    fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Members(found) => found.get(name),
            _ => None,
        }
    }
    fn at(&self, name: &str) -> &Json {
        self.get(name).unwrap_or_else(|| panic!("{name} is missing"))
    }
    fn items(&self) -> &[Json] {
        if let Json::Items(found) = self { found } else { panic!("no list: {self:?}") }
    }
    fn number(&self) -> f64 {
        if let Json::Number(found) = self { *found } else { panic!("no number: {self:?}") }
    }
    fn text(&self) -> &str {
        if let Json::Text(found) = self { found } else { panic!("no text: {self:?}") }
    }
    // An array of the file: its last axis runs fastest.
    fn array(&self, name: &str) -> Vec<f64> {
        self.at(name).at("data").items().iter().map(Json::number).collect()
    }
}

// Text escapes occur in no name that is looked up here; they are kept as written.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> u8 {
        while self.text.as_bytes()[self.at].is_ascii_whitespace() {
            self.at += 1;
        }
        self.text.as_bytes()[self.at]
    }
    fn quoted(&mut self) -> String {
        let start = self.at + 1;
        self.at = start;
        while self.text.as_bytes()[self.at] != b'"' {
            self.at += if self.text.as_bytes()[self.at] == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        self.text[start..self.at - 1].to_string()
    }
    // Whether another entry follows; steps over '{', '[' and ','.
    fn more(&mut self, end: u8) -> bool {
        self.at += 1;
        let found = self.next() != end;
        if !found {
            self.at += 1;
        }
        found
    }
    fn value(&mut self) -> Json {
        match self.next() {
            b'{' => {
                let mut found = BTreeMap::new();
                while self.text.as_bytes()[self.at] != b'}' {
                    if !self.more(b'}') {
                        return Json::Members(found);
                    }
                    let name = self.quoted();
                    self.next();
                    self.at += 1; // the colon
                    found.insert(name, self.value());
                    self.next();
                }
                self.at += 1;
                Json::Members(found)
            }
            b'[' => {
                let mut found = Vec::new();
                while self.text.as_bytes()[self.at] != b']' {
                    if !self.more(b']') {
                        return Json::Items(found);
                    }
                    found.push(self.value());
                    self.next();
                }
                self.at += 1;
                Json::Items(found)
            }
            b'"' => Json::Text(self.quoted()),
            b'n' => {
                self.at += 4; // null
                Json::Null
            }
            _ => {
                let rest = &self.text[self.at..];
                let end = rest.find(|c| ",]} \n".contains(c)).unwrap_or(rest.len());
                self.at += end;
                Json::Number(rest[..end].parse().expect("a number"))
            }
        }
    }
}

type Results = [(&'static str, Vec<f64>); 2];

// The layer: y is (T, B, n), zero past a row's length, where the state stays as it ended.
fn run(given: &Json, steps: usize, batch: usize, n: usize, m: usize) -> Results {
    let (w, u, b) = (given.array("params/W"), given.array("params/U"), given.array("params/b"));
    let (x, lengths) = (given.array("inputs/x"), given.array("lengths"));
    let (mut h, mut y) = (given.array("state_0/h"), vec![0.0; steps * batch * n]);
    for t in 0..steps {
        for row in (0..batch).filter(|&row| (t as f64) < lengths[row]) {
            let (x, before) = (&x[(t * batch + row) * m..][..m], h[row * n..][..n].to_vec());
            for i in 0..n {
                let sum: f64 = (0..m).map(|j| w[i * m + j] * x[j]).sum::<f64>()
                    + (0..n).map(|j| u[i * n + j] * before[j]).sum::<f64>();
                h[row * n + i] = (sum + b[i]).tanh();
                y[(t * batch + row) * n + i] = h[row * n + i];
            }
        }
    }
    [("y", y), ("state_T/h", h)]
}

fn main() {
    let path = std::env::args().nth(1).expect("which file?");
    let text = std::fs::read_to_string(path).expect("the file opens");
    let document = Reader { text: &text, at: 0 }.value();
    let (mut checked, mut wrong) = (0, 0);
    for example in document.at("examples").items() {
        if example.at("dtype").text() != "float64" {
            continue;
        }
        checked += 1;
        let size = |name| example.at("sizes").at(name).number() as usize;
        let found = run(example.at("given"), size("T"), size("B"), size("n"), size("m"));
        for (name, got) in found {
            if example.at("expected").get(name).is_none() {
                continue; // rounding left too little of it
            }
            let expected = example.at("expected").array(name);
            let bound = example.at("bound").array(name);
            for k in 0..expected.len() {
                if !((got[k] - expected[k]).abs() <= bound[k]) {
                    let label = example.at("label").text();
                    println!("{label}: {name}, entry {k} is {}, expected {}", got[k], expected[k]);
                    wrong += 1;
                }
            }
        }
    }
    println!("{checked} examples of float64, {wrong} entries wrong");
    std::process::exit((wrong > 0) as i32);
}
