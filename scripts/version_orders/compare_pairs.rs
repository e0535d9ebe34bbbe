// The answer of the semver crate to every pair of versions on standard input (two to a line, tab between).
use semver::Version;
use std::io::BufRead;

fn main() {
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (left, right) = line.split_once('\t').unwrap();
        match (Version::parse(left), Version::parse(right)) {
            (Ok(left), Ok(right)) => println!("{}", left.cmp_precedence(&right) as i8),
            _ => println!("x"),
        }
    }
}
