//! Statements about one message, and whether several of them can be true together.
//!
//! A search by cases with a budget: what it can't decide within it counts as possible, so that nothing is called
//! impossible that was not proved so.

use super::super::matching;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// What a test says of one value or one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fact {
    /// What it is about: `header subject`.
    pub(super) subject: String,
    /// Which part of it is looked at, and how: `address :domain i;octet`.
    pub(super) view: String,
    /// How often the message was changed before: what was true of it then says nothing of it now.
    pub(super) epoch: u32,
    /// There is exactly one such value in a run.
    pub(super) is_single: bool,
    pub(super) says: Says,
}

/// Texts are folded where the comparator folds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Says {
    Exists,
    Is(String),
    Contains(String),
    Matches(String),
    /// Of text.
    Compares(Relation, String),
    /// Of whole numbers.
    AtLeast(u64),
    /// Only equal to itself.
    Other(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn negated(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Formula {
    Constant(bool),
    /// By number, in the table of [`Facts`].
    Fact(usize),
    /// Nobody knows, and nothing follows from it.
    Unknown,
    Not(Box<Formula>),
    All(Vec<Formula>),
    Any(Vec<Formula>),
}

/// The facts of a script, and how much thinking is left for it.
pub(super) struct Facts {
    table: Vec<Arc<Fact>>,
    numbers: HashMap<Arc<Fact>, usize>,
    budget: u64,
}

type Literal = (usize, bool);
type Wanted<'f> = (&'f Formula, bool);

impl Facts {
    pub(super) fn new(budget: u64) -> Self {
        Self { table: Vec::new(), numbers: HashMap::new(), budget }
    }

    pub(super) fn fact(&mut self, fact: Fact) -> Formula {
        if let Some(number) = self.numbers.get(&fact) {
            return Formula::Fact(*number);
        }
        let (fact, number) = (Arc::new(fact), self.table.len());
        self.table.push(Arc::clone(&fact));
        self.numbers.insert(fact, number);
        Formula::Fact(number)
    }

    /// Whether all of these may be true of one message.
    pub(super) fn possible(&mut self, formulas: &[&Formula]) -> bool {
        if self.budget == 0 {
            return true;
        }
        let wanted = formulas.iter().map(|formula| (*formula, true)).collect();
        let mut case = Case { literals: Vec::new(), signs: vec![None; self.table.len()] };
        self.search(&mut case, wanted, Vec::new(), 0)
    }

    /// `wanted` is still to be looked at; of each of `choices` something must be true. What the case took on is taken back
    /// when it turns out to be impossible.
    fn search<'f>(
        &mut self,
        case: &mut Case,
        mut wanted: Vec<Wanted<'f>>,
        mut choices: Vec<(&'f [Formula], bool)>,
        depth: usize,
    ) -> bool {
        let before = case.literals.len();
        while let Some((formula, sign)) = wanted.pop() {
            let fits = match (formula, sign) {
                (Formula::Unknown, _) => true,
                (Formula::Constant(constant), sign) => *constant == sign,
                (Formula::Fact(fact), sign) => self.take_on(case, *fact, sign),
                (Formula::Not(inner), sign) => {
                    wanted.push((inner, !sign));
                    true
                }
                (Formula::All(list), true) | (Formula::Any(list), false) => {
                    wanted.extend(list.iter().map(|one| (one, sign)));
                    true
                }
                (Formula::All(list), false) | (Formula::Any(list), true) => {
                    choices.push((list, sign));
                    true
                }
            };
            if !fits {
                case.take_back(before);
                return false;
            }
        }
        if self.budget == 0 || depth >= CHOICES_MAX {
            return true;
        }
        let Some((list, sign)) = choices.pop() else { return true };
        let found = list.iter().any(|one| self.search(case, vec![(one, sign)], choices.clone(), depth + 1));
        if !found {
            case.take_back(before);
        }
        found
    }

    /// Whether the fact may have this sign beside all that the case has taken on.
    fn take_on(&mut self, case: &mut Case, fact: usize, sign: bool) -> bool {
        if let Some(known) = case.signs.get(fact).copied().flatten() {
            return known == sign;
        }
        for at in 0..case.literals.len() {
            if self.conflict(case.literals[at], (fact, sign)) {
                return false;
            }
        }
        case.literals.push((fact, sign));
        if let Some(known) = case.signs.get_mut(fact) {
            *known = Some(sign);
        }
        true
    }

    fn conflict(&mut self, one: Literal, other: Literal) -> bool {
        if self.budget == 0 {
            return false;
        }
        self.budget -= 1;
        let (Some(a), Some(b)) = (self.table.get(one.0), self.table.get(other.0)) else { return false };
        if (!one.1 && !other.1 && !a.is_single) || a.epoch != b.epoch || a.subject != b.subject {
            return false;
        }
        match (one.1, other.1) {
            (true, true) => a.excludes(b),
            (true, false) => a.implies(b),
            (false, true) => b.implies(a),
            (false, false) => a.or_else(b),
        }
    }
}

/// What is taken to be true and false in one case of many.
struct Case {
    literals: Vec<Literal>,
    /// The same by number of the fact.
    signs: Vec<Option<bool>>,
}

impl Case {
    fn take_back(&mut self, to: usize) {
        for (fact, _) in self.literals.drain(to..) {
            if let Some(sign) = self.signs.get_mut(fact) {
                *sign = None;
            }
        }
    }
}

/// Choices within choices, each a call deeper.
const CHOICES_MAX: usize = 200;

impl Fact {
    /// Whether the other is true wherever this one is.
    fn implies(&self, other: &Self) -> bool {
        if other.says == Says::Exists {
            return matches!(self.says, Says::Is(_) | Says::Contains(_) | Says::Matches(_) | Says::Exists);
        }
        if self.view != other.view {
            return false;
        }
        match (&self.says, &other.says) {
            (Says::Is(text), _) => other.is_true_of(text).unwrap_or(false),
            (Says::Contains(text), Says::Contains(part)) => text.contains(part.as_str()),
            (Says::Matches(pattern), Says::Contains(part)) => {
                literals_of(pattern).any(|literal| literal.contains(part.as_str()))
            }
            (Says::AtLeast(number), Says::AtLeast(least)) => number >= least,
            (Says::Compares(..), Says::Compares(relation, text)) if self.is_single => {
                // Not the other would be its negation, which this one excludes.
                self.excludes_relation(relation.negated(), text)
            }
            (one, other) => one == other,
        }
    }

    /// Whether both can't be true at once.
    fn excludes(&self, other: &Self) -> bool {
        if !self.is_single || self.view != other.view {
            return false;
        }
        match (&self.says, &other.says) {
            (Says::Is(text), _) => other.is_true_of(text) == Some(false),
            (_, Says::Is(text)) => self.is_true_of(text) == Some(false),
            (_, Says::Compares(relation, text)) => self.excludes_relation(*relation, text),
            _ => false,
        }
    }

    /// Whether one of the two is true whatever the message is.
    fn or_else(&self, other: &Self) -> bool {
        let (Says::Compares(one, text), Says::Compares(relation, bound)) = (&self.says, &other.says) else {
            return false;
        };
        let negated = Self { says: Says::Compares(one.negated(), text.clone()), ..self.clone() };
        self.is_single && self.view == other.view && negated.excludes_relation(relation.negated(), bound)
    }

    /// Of a value that is this text; None: that can't be told.
    fn is_true_of(&self, text: &str) -> Option<bool> {
        match &self.says {
            Says::Exists => Some(true),
            Says::Is(key) => Some(text == key),
            Says::Contains(part) => Some(text.contains(part.as_str())),
            Says::Matches(pattern) => Some(matching::glob(pattern, text, FOLDED_ALREADY)),
            Says::Compares(relation, key) => Some(relation.holds(text.cmp(key))),
            Says::AtLeast(_) | Says::Other(_) => None,
        }
    }

    fn excludes_relation(&self, relation: Relation, text: &str) -> bool {
        let Says::Compares(own, bound) = &self.says else { return false };
        let strict =
            matches!(own, Relation::Less | Relation::Greater) || matches!(relation, Relation::Less | Relation::Greater);
        // From below and from above, with nothing between.
        let apart = |lower: &str, upper: &str| lower > upper || (strict && lower == upper);
        match (own, relation) {
            (Relation::Greater | Relation::GreaterOrEqual, Relation::Less | Relation::LessOrEqual) => {
                apart(bound, text)
            }
            (Relation::Less | Relation::LessOrEqual, Relation::Greater | Relation::GreaterOrEqual) => {
                apart(text, bound)
            }
            _ => false,
        }
    }
}

/// Whether the two are to be folded before they are compared.
const FOLDED_ALREADY: bool = false;

/// What a text that a pattern matches is sure to contain. Of a pattern with escapes nothing is said.
fn literals_of(pattern: &str) -> impl Iterator<Item = &str> {
    let pattern = if pattern.contains('\\') { "" } else { pattern };
    pattern.split(['*', '?'])
}
