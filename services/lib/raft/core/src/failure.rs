// What a call answers when it refuses: a code the other side maps to its own errors, and a sentence.
// A refused call has changed nothing. Broken invariants panic instead, and kill the instance.

#[derive(Debug)]
pub enum Code {
    NotFound = 1,
    Exists = 2,
    Invalid = 3,
    Corrupt = 4,
}

#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub reason: String,
}

pub type Outcome<T> = Result<T, Failure>;

pub fn refuse<T>(code: Code, reason: String) -> Outcome<T> {
    Err(Failure { code, reason })
}

pub fn invalid<T>(reason: String) -> Outcome<T> {
    refuse(Code::Invalid, reason)
}

pub fn corrupt<T>(reason: String) -> Outcome<T> {
    refuse(Code::Corrupt, reason)
}
