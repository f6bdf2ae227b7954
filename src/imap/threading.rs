//! THREAD: messages to trees, by the two algorithms of RFC 5256 section 3. Pure: facts in, a forest out.
//!
//! Time is that of sorting the messages, and no tree is walked by recursion: a thread may be as deep as it has messages.

use crate::imap::grammar::ThreadAlgorithm;
use crate::types::limits::THREAD_STEPS_MAX;
use std::collections::HashMap;

#[cfg(test)]
mod tests;

/// What threading needs of one message. Identifiers stand without angle brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadFacts<'a> {
    pub message_id: Option<&'a str>,
    /// Of References, or the one of In-Reply-To if there are none.
    pub references: Vec<&'a str>,
    /// RFC 5256 section 2.1, in the form that is compared.
    pub base_subject: &'a str,
    pub is_reply_or_forward: bool,
    /// RFC 5256 section 2.2: the Date field, or else the time of arrival.
    pub sent_seconds: i64,
}

/// A node of a forest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

/// Trees whose nodes are messages, by their place in the facts, or gaps where a message is missing. Siblings stand in
/// the order in which they are shown. Only roots are gaps, and a gap has two children or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forest {
    messages: u32,
    roots: Vec<NodeId>,
    /// Of node `n`: `children[starts[n]..starts[n + 1]]`.
    starts: Vec<u32>,
    children: Vec<NodeId>,
}

impl Forest {
    pub fn roots(&self) -> &[NodeId] {
        &self.roots
    }

    pub fn children(&self, node: NodeId) -> &[NodeId] {
        let at = node.0 as usize;
        &self.children[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// `None` for a gap.
    pub fn message(&self, node: NodeId) -> Option<u32> {
        (node.0 < self.messages).then_some(node.0)
    }

    /// From each node's parent, `NONE` for a root and `GONE` for a node that is not part of it. `order` has the
    /// messages as siblings are shown; a gap stands where its first child would.
    fn build(messages: usize, parents: &[u32], order: &[u32]) -> Self {
        let mut counts = vec![0_u32; parents.len()];
        for &parent in parents {
            if parent != NONE && parent != GONE {
                counts[parent as usize] += 1;
            }
        }
        let mut starts = vec![0_u32; parents.len() + 1];
        for (node, count) in counts.iter().enumerate() {
            starts[node + 1] = starts[node] + count;
        }
        let mut next = starts.clone();
        let mut children = vec![NodeId(0); starts[parents.len()] as usize];
        let mut roots = Vec::new();
        let mut shown = vec![false; parents.len()];
        for &message in order {
            let mut node = message;
            // At most two steps: a message below a gap brings the gap with it.
            while !std::mem::replace(&mut shown[node as usize], true) {
                let parent = parents[node as usize];
                if parent == NONE {
                    roots.push(NodeId(node));
                    break;
                }
                let place = &mut next[parent as usize];
                children[*place as usize] = NodeId(node);
                *place += 1;
                if (parent as usize) < messages {
                    break;
                }
                node = parent;
            }
        }
        // Facts are counted with 32 bits, as messages are.
        Self { messages: messages as u32, roots, starts, children }
    }
}

const NONE: u32 = u32::MAX;
const GONE: u32 = u32::MAX - 1;

pub fn thread(algorithm: ThreadAlgorithm, facts: &[ThreadFacts<'_>]) -> Forest {
    let mut order: Vec<u32> = (0..facts.len() as u32).collect();
    // Messages sent at the same time stand in the order of the mailbox (RFC 5256 section 3).
    order.sort_by_key(|&message| (facts[message as usize].sent_seconds, message));
    match algorithm {
        ThreadAlgorithm::OrderedSubject => ordered_subject(facts, &order),
        ThreadAlgorithm::References => references(facts, &order),
    }
}

/// All with one subject below the first of them.
fn ordered_subject(facts: &[ThreadFacts<'_>], order: &[u32]) -> Forest {
    let mut first: HashMap<&str, u32> = HashMap::new();
    let mut parents = vec![NONE; facts.len()];
    for &message in order {
        let parent = *first.entry(facts[message as usize].base_subject).or_insert(message);
        if parent != message {
            parents[message as usize] = parent;
        }
    }
    Forest::build(facts.len(), &parents, order)
}

fn references(facts: &[ThreadFacts<'_>], order: &[u32]) -> Forest {
    let links = Links::of(facts);
    let mut parents = without_inner_gaps(facts.len(), &links.parents);
    gather_subjects(facts, order, &mut parents);
    Forest::build(facts.len(), &parents, order)
}

/// Step 1: who is whose parent by References. Nodes from `facts.len()` on are messages that are only named.
struct Links {
    parents: Vec<u32>,
    has_children: Vec<bool>,
}

impl Links {
    fn of(facts: &[ThreadFacts<'_>]) -> Self {
        let mut links = Self { parents: vec![NONE; facts.len()], has_children: vec![false; facts.len()] };
        let mut nodes: HashMap<&str, u32> = HashMap::new();
        for (message, fact) in facts.iter().enumerate() {
            // A second message with the same identifier is one without (step 1, "unique Message ID").
            if let Some(id) = fact.message_id {
                nodes.entry(id).or_insert(message as u32);
            }
        }
        for (message, fact) in facts.iter().enumerate() {
            let message = message as u32;
            let (mut before, mut last) = (None, None);
            for id in &fact.references {
                let node = *nodes.entry(id).or_insert_with(|| links.new_node());
                if let Some(parent) = before
                    && links.parents[node as usize] == NONE
                {
                    links.link(parent, node);
                }
                before = Some(node);
                // Who names himself last means the one before.
                if node != message {
                    last = Some(node);
                }
            }
            // Step 1 (B): what a message says of itself counts more than what others say of it, even if that closed a loop
            // and leaves it without a parent.
            links.parents[message as usize] = NONE;
            if let Some(parent) = last {
                links.link(parent, message);
            }
        }
        links
    }

    fn new_node(&mut self) -> u32 {
        self.parents.push(NONE);
        self.has_children.push(false);
        self.parents.len() as u32 - 1
    }

    /// Unless that closed a loop.
    fn link(&mut self, parent: u32, child: u32) {
        if parent == child {
            return;
        }
        // What has nothing below it is above nobody.
        if self.has_children[child as usize] {
            let mut above = parent;
            for step in 0.. {
                if above == child || step == THREAD_STEPS_MAX {
                    return;
                }
                above = self.parents[above as usize];
                if above == NONE {
                    break;
                }
            }
        }
        self.parents[child as usize] = parent;
        self.has_children[parent as usize] = true;
    }
}

/// Steps 2 and 3: a gap goes, and its children to its parent; only one at the top with several children stays.
fn without_inner_gaps(messages: usize, links: &[u32]) -> Vec<u32> {
    let is_gap = |node: u32| node as usize >= messages;
    // For each gap, the message above it or else the topmost gap; itself if it is that.
    let mut above: Vec<u32> = vec![NONE; links.len() - messages];
    let mut path = Vec::new();
    for gap in messages as u32..links.len() as u32 {
        let mut node = gap;
        let found = loop {
            let known = above[node as usize - messages];
            if known != NONE {
                break known;
            }
            path.push(node);
            match links[node as usize] {
                NONE => break node,
                parent if is_gap(parent) => node = parent,
                parent => break parent,
            }
        };
        for node in path.drain(..) {
            above[node as usize - messages] = found;
        }
    }
    let mut parents = vec![GONE; links.len()];
    let mut counts = vec![0_u32; links.len()];
    for message in 0..messages {
        let parent = match links[message] {
            parent if parent != NONE && is_gap(parent) => above[parent as usize - messages],
            parent => parent,
        };
        parents[message] = parent;
        if parent != NONE {
            counts[parent as usize] += 1;
        }
    }
    for parent in &mut parents[..messages] {
        if *parent != NONE && is_gap(*parent) && counts[*parent as usize] == 1 {
            *parent = NONE;
        }
    }
    for gap in messages..links.len() {
        // The topmost gaps are the only ones that still are a parent.
        if counts[gap] > 1 {
            parents[gap] = NONE;
        }
    }
    parents
}

/// A thread while threads with one subject are put together.
#[derive(Clone, Copy)]
struct Root<'a> {
    node: u32,
    subject: &'a str,
    is_gap: bool,
    is_reply: bool,
}

/// Steps 4 and 5: threads with the same base subject become one.
fn gather_subjects(facts: &[ThreadFacts<'_>], order: &[u32], parents: &mut Vec<u32>) {
    let roots = roots_in_order(facts, order, parents);
    let mut table: HashMap<&str, Root<'_>> = HashMap::new();
    for root in &roots {
        let better = match table.get(root.subject) {
            None => true,
            Some(held) => !held.is_gap && (root.is_gap || (held.is_reply && !root.is_reply)),
        };
        if better && !root.subject.is_empty() {
            table.insert(root.subject, *root);
        }
    }
    // Gaps whose children go to another gap, followed once at the end.
    let mut moved: HashMap<u32, u32> = HashMap::new();
    for root in &roots {
        let Some(held) = table.get_mut(root.subject).filter(|held| held.node != root.node) else { continue };
        if held.is_gap && root.is_gap {
            moved.insert(root.node, held.node);
            parents[root.node as usize] = GONE;
        } else if held.is_gap || (root.is_reply && !held.is_reply) {
            parents[root.node as usize] = held.node;
        } else {
            let gap = parents.len() as u32;
            parents.push(NONE);
            parents[root.node as usize] = gap;
            parents[held.node as usize] = gap;
            *held = Root { node: gap, is_gap: true, ..*held };
        }
    }
    if !moved.is_empty() {
        for parent in parents.iter_mut() {
            if let Some(to) = moved.get(parent) {
                *parent = *to;
            }
        }
    }
}

/// The roots as they are shown, each with the subject it stands for: its own, or that of its first child.
fn roots_in_order<'a>(facts: &[ThreadFacts<'a>], order: &[u32], parents: &[u32]) -> Vec<Root<'a>> {
    let mut seen = vec![false; parents.len()];
    let mut roots = Vec::new();
    for &message in order {
        let parent = parents[message as usize];
        let is_gap = parent != NONE && parent as usize >= facts.len();
        if parent != NONE && !is_gap {
            continue;
        }
        let node = if is_gap { parent } else { message };
        if !std::mem::replace(&mut seen[node as usize], true) {
            let fact = &facts[message as usize];
            roots.push(Root { node, subject: fact.base_subject, is_gap, is_reply: fact.is_reply_or_forward });
        }
    }
    roots
}
