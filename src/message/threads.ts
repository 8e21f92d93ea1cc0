// Messages put into threads: which one answers which.
//
// In      of each message its ids, its base subject, its dates, in the order of the mailbox
// Out     trees; a root may be a dummy, whose children belong together although what they answer is not there
// Yields  every so many steps, so that others have their turn
// Limits  NODES_MAX messages and ids of messages that are not there; a chain of any length: nothing here calls itself
// RFC 5256 §3 BASE.6.4.THREAD (its steps by number), draft-ietf-morg-inthread (REFS)

import { Failure } from '../base/failure.ts';
import { sortInTurns } from '../base/sort-in-turns.ts';

export interface ThreadedMessage {
  /** Normalized, undefined when it has none that is valid. */
  readonly id: string | undefined;
  /** Normalized, the oldest first. */
  readonly references: readonly string[];
  readonly subject: string;
  /** Of a reply or forward. */
  readonly isReply: boolean;
  /** By whose order siblings are sorted, epoch ms. */
  readonly date: number;
}

export interface Thread {
  /** The place of the message in what was given, undefined for a dummy. */
  readonly message: number | undefined;
  children: Thread[];
}

export type ThreadAlgorithm = 'ORDEREDSUBJECT' | 'REFERENCES' | 'REFS';

const NODES_MAX = 1_000_000;
const STEPS = 1000;

export function* thread(messages: readonly ThreadedMessage[], algorithm: ThreadAlgorithm): Generator<void, Thread[]> {
  if (algorithm === 'ORDEREDSUBJECT') return yield* bySubject(messages);
  const roots = yield* new Links(messages).trees();
  // (4)
  for (const [steps, root] of roots.entries()) {
    if (steps % STEPS === 0) yield;
    sortTree(root, messages);
  }
  if (algorithm === 'REFS') return yield* byLatest(roots, messages);
  const sorted = yield* sortInTurns(roots, byDate(messages));
  const merged = yield* mergeSubjects(sorted, messages);
  return yield* sortInTurns(merged, byDate(messages));
}

/** Threads of one base subject: the first message, and all others as its children. */
function* bySubject(messages: readonly ThreadedMessage[]): Generator<void, Thread[]> {
  const roots: Thread[] = [];
  const threads = new Map<string, Thread>();
  const places = messages.map((_, i) => i);
  const order = yield* sortInTurns(places, (a, b) => messages[a]!.date - messages[b]!.date);
  for (const [steps, message] of order.entries()) {
    if (steps % STEPS === 0) yield;
    const { subject } = messages[message]!;
    const root = threads.get(subject);
    const made = { message, children: [] };
    if (root !== undefined) root.children.push(made);
    else {
      threads.set(subject, made);
      roots.push(made);
    }
  }
  return roots;
}

/** Steps (1) to (3): parents by references. */
class Links {
  readonly #messages: readonly ThreadedMessage[];
  /** Of each node: its message, -1 for a dummy; its parent, -1 for none; how many children it has. */
  readonly #message: number[] = [];
  readonly #parent: number[] = [];
  readonly #children: number[] = [];
  readonly #byId = new Map<string, number>();

  constructor(messages: readonly ThreadedMessage[]) {
    this.#messages = messages;
  }

  *trees(): Generator<void, Thread[]> {
    // (1)
    for (const [place, message] of this.#messages.entries()) {
      if (place % STEPS === 0) yield;
      this.#link(place, message);
    }
    // (2) (3)
    const nodes: (Thread | undefined)[] = this.#message.map((message) =>
      message < 0 ? undefined : { message, children: [] },
    );
    yield;
    const dummies = new Map<number, Thread>();
    const roots: Thread[] = [];
    for (let node = 0; node < nodes.length; node++) {
      if (node % STEPS === 0) yield;
      const made = nodes[node];
      if (made === undefined) continue;
      const top = this.#visibleParent(node);
      if (top < 0) roots.push(made);
      else if (nodes[top] !== undefined) nodes[top].children.push(made);
      else {
        const dummy = dummies.get(top) ?? { message: undefined, children: [] };
        dummies.set(top, dummy);
        dummy.children.push(made);
      }
    }
    // A dummy with one child is no thread of several.
    for (const dummy of dummies.values()) roots.push(dummy.children.length === 1 ? dummy.children[0]! : dummy);
    return roots;
  }

  #link(place: number, { id, references }: ThreadedMessage): void {
    const node = this.#nodeOf(place, id);
    let before = -1;
    // (1) (A)
    for (const reference of references) {
      const known = this.#byId.get(reference) ?? this.#add(-1, reference);
      if (before >= 0 && this.#parent[known]! < 0) this.#adopt(before, known);
      before = known;
    }
    // (1) (B)
    this.#orphan(node);
    if (before >= 0) this.#adopt(before, node);
  }

  /** A second message with an id has one of its own. */
  #nodeOf(place: number, id: string | undefined): number {
    if (id === undefined) return this.#add(place);
    const known = this.#byId.get(id);
    if (known === undefined) return this.#add(place, id);
    if (this.#message[known]! >= 0) return this.#add(place);
    this.#message[known] = place;
    return known;
  }

  #add(message: number, id?: string): number {
    const node = this.#message.length;
    if (node >= NODES_MAX) throw new Failure('too-many', 'Too many messages and references to be threaded');
    this.#message.push(message);
    this.#parent.push(-1);
    this.#children.push(0);
    if (id !== undefined) this.#byId.set(id, node);
    return node;
  }

  #orphan(node: number): void {
    const parent = this.#parent[node]!;
    if (parent >= 0) this.#children[parent]!--;
    this.#parent[node] = -1;
  }

  /** Unless it would be a loop. */
  #adopt(parent: number, child: number): void {
    if (parent === child) return;
    // What has no children is nobody's ancestor.
    if (this.#children[child]! > 0)
      for (let above = parent; above >= 0; above = this.#parent[above]!) if (above === child) return;
    this.#parent[child] = parent;
    this.#children[parent]!++;
  }

  /** The nearest ancestor that is a message, else the dummy at the root; -1 without either. Shortens the way for the next one. */
  #visibleParent(node: number): number {
    const start = this.#parent[node]!;
    if (start < 0) return -1;
    let top = start;
    while (this.#message[top]! < 0 && this.#parent[top]! >= 0) top = this.#parent[top]!;
    for (let at = start; at !== top; ) {
      const next = this.#parent[at]!;
      this.#parent[at] = top;
      at = next;
    }
    return top;
  }
}

/** The date of a message, of a dummy's first child. Children of dummies are sorted before. */
function byDate(messages: readonly ThreadedMessage[]): (a: Thread, b: Thread) => number {
  return (a, b) => {
    const first = placeOf(a);
    const second = placeOf(b);
    return messages[first]!.date - messages[second]!.date || first - second;
  };
}

function placeOf({ message, children }: Thread): number {
  return message ?? children[0]!.message!;
}

/** All that is below a root. */
function* below(root: Thread): Generator<Thread> {
  const open = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    yield node;
    for (const child of node.children) open.push(child);
  }
}

function sortTree(root: Thread, messages: readonly ThreadedMessage[]): void {
  for (const node of below(root)) if (node.children.length > 1) node.children.sort(byDate(messages));
}

/** REFS: threads in the order of their latest message. */
function* byLatest(roots: readonly Thread[], messages: readonly ThreadedMessage[]): Generator<void, Thread[]> {
  const latest = new Map<Thread, number>();
  for (const root of roots) {
    let date = Number.NEGATIVE_INFINITY;
    for (const { message } of below(root)) if (message !== undefined) date = Math.max(date, messages[message]!.date);
    latest.set(root, date);
  }
  return yield* sortInTurns(roots, (a, b) => latest.get(a)! - latest.get(b)! || placeOf(a) - placeOf(b));
}

/** Step (5): threads of one base subject become one. */
function* mergeSubjects(roots: readonly Thread[], messages: readonly ThreadedMessage[]): Generator<void, Thread[]> {
  const subjectOf = (root: Thread): string => messages[placeOf(root)]!.subject;
  const isReply = ({ message }: Thread): boolean => message !== undefined && messages[message]!.isReply;
  // (A) (B)
  const table = new Map<string, Thread>();
  for (const [steps, root] of roots.entries()) {
    if (steps % STEPS === 0) yield;
    const subject = subjectOf(root);
    if (subject === '') continue;
    const known = table.get(subject);
    const replaces =
      known !== undefined &&
      known.message !== undefined &&
      (root.message === undefined || (isReply(known) && !isReply(root)));
    if (known === undefined || replaces) table.set(subject, root);
  }
  // (C)
  const gone = new Set<Thread>();
  const made: Thread[] = [];
  const grown = new Set<Thread>();
  for (const [steps, root] of roots.entries()) {
    if (steps % STEPS === 0) yield;
    const subject = subjectOf(root);
    const known = subject === '' ? undefined : table.get(subject);
    if (known === undefined || known === root) continue;
    gone.add(root);
    grown.add(known);
    if (known.message === undefined) {
      if (root.message === undefined) for (const child of root.children) known.children.push(child);
      else known.children.push(root);
    } else if (isReply(root) && !isReply(known)) known.children.push(root);
    else {
      gone.add(known);
      const dummy: Thread = { message: undefined, children: [known, root] };
      made.push(dummy);
      grown.add(dummy);
      table.set(subject, dummy);
    }
  }
  // (6) The other siblings are in order already.
  for (const node of grown) node.children.sort(byDate(messages));
  return [...roots, ...made].filter((root) => !gone.has(root));
}
