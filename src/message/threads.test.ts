// Threads of random mailboxes, against RFC 5256's steps done as they stand there, with objects and recursion.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Thread, type ThreadAlgorithm, type ThreadedMessage, thread } from './threads.ts';

function threads(messages: readonly ThreadedMessage[], algorithm: ThreadAlgorithm): Thread[] {
  const steps = thread(messages, algorithm);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As the response has it, without its first word. */
function text(list: readonly Thread[]): string {
  const one = ({ message, children }: Thread): string => {
    const own = message === undefined ? '' : `${message + 1}`;
    if (children.length === 0) return own;
    if (children.length === 1 && message !== undefined) return `${own} ${one(children[0]!)}`;
    return `${own}${own === '' ? '' : ' '}${children.map((child) => `(${one(child)})`).join('')}`;
  };
  return list.map((root) => `(${one(root)})`).join('');
}

interface Node {
  message: number | undefined;
  parent: Node | undefined;
  children: Node[];
}

function naive(messages: readonly ThreadedMessage[]): Node[] {
  const table = new Map<string, Node>();
  const all: Node[] = [];
  const make = (): Node => {
    const node = { message: undefined, parent: undefined, children: [] };
    all.push(node);
    return node;
  };
  const isBelow = (node: Node, above: Node): boolean =>
    node === above || (node.parent !== undefined && isBelow(node.parent, above));
  const link = (parent: Node, child: Node): void => {
    if (isBelow(parent, child)) return;
    child.parent = parent;
    parent.children.push(child);
  };
  const cut = (child: Node): void => {
    if (child.parent !== undefined) child.parent.children = child.parent.children.filter((one) => one !== child);
    child.parent = undefined;
  };
  for (const [i, { id, references }] of messages.entries()) {
    let node = id === undefined ? undefined : table.get(id);
    if (node === undefined || node.message !== undefined) {
      const isFirst = node === undefined;
      node = make();
      if (id !== undefined && isFirst) table.set(id, node);
    }
    node.message = i;
    let before: Node | undefined;
    for (const reference of references) {
      const known: Node = table.get(reference) ?? make();
      table.set(reference, known);
      if (before !== undefined && known.parent === undefined) link(before, known);
      before = known;
    }
    cut(node);
    if (before !== undefined) link(before, node);
  }
  const prune = (nodes: Node[], isRoot: boolean): Node[] =>
    nodes.flatMap((node) => {
      node.children = prune(node.children, false);
      if (node.message !== undefined) return [node];
      if (node.children.length === 0) return [];
      return isRoot && node.children.length > 1 ? [node] : node.children;
    });
  return prune(
    all.filter(({ parent }) => parent === undefined),
    true,
  );
}

function naiveReferences(messages: readonly ThreadedMessage[]): Node[] {
  const place = (node: Node): number => node.message ?? place(node.children[0]!);
  const order = (a: Node, b: Node): number =>
    messages[place(a)]!.date - messages[place(b)]!.date || place(a) - place(b);
  const sort = (nodes: Node[]): void => {
    for (const { children } of nodes) sort(children);
    nodes.sort(order);
  };
  let roots = naive(messages);
  sort(roots);
  const subject = (node: Node): string => messages[place(node)]!.subject;
  const isReply = ({ message }: Node): boolean => message !== undefined && messages[message]!.isReply;
  const table = new Map<string, Node>();
  for (const root of roots) {
    if (subject(root) === '') continue;
    const known = table.get(subject(root));
    if (known === undefined) table.set(subject(root), root);
    else if (known.message !== undefined && (root.message === undefined || (isReply(known) && !isReply(root))))
      table.set(subject(root), root);
  }
  for (const root of [...roots]) {
    const name = subject(root);
    const known = table.get(name);
    if (name === '' || known === undefined || known === root) continue;
    roots = roots.filter((one) => one !== root);
    if (known.message === undefined) known.children.push(...(root.message === undefined ? root.children : [root]));
    else if (isReply(root) && !isReply(known)) known.children.push(root);
    else {
      const dummy = { message: undefined, parent: undefined, children: [known, root] };
      roots = roots.filter((one) => one !== known);
      roots.push(dummy);
      table.set(name, dummy);
    }
  }
  sort(roots);
  return roots;
}

const id = fc.constantFrom(...'abcdefghij');
const mailbox = fc.array(
  fc.record({
    id: fc.option(id, { nil: undefined, freq: 8 }),
    references: fc.array(id, { maxLength: 4 }),
    subject: fc.constantFrom('', 'X', 'Y', 'Z'),
    isReply: fc.boolean(),
    date: fc.nat(6),
  }),
  { maxLength: 12 },
);

test('threads by references are those that the steps give', () => {
  fc.assert(
    fc.property(mailbox, (messages) => {
      assert.equal(text(threads(messages, 'REFERENCES')), text(naiveReferences(messages)));
    }),
    { numRuns: 5000 },
  );
});

test('REFS knows no subjects, and its last thread has the latest message', () => {
  fc.assert(
    fc.property(mailbox, (messages) => {
      const latest = ({ message, children }: Node): number =>
        Math.max(message === undefined ? 0 : messages[message]!.date, ...children.map(latest));
      const sort = ({ children }: Node): void => {
        for (const child of children) sort(child);
        children.sort((a, b) => messages[a.message!]!.date - messages[b.message!]!.date || a.message! - b.message!);
      };
      const roots = naive(messages);
      for (const root of roots) sort(root);
      const first = (root: Node): number => root.message ?? root.children[0]!.message!;
      roots.sort((a, b) => latest(a) - latest(b) || first(a) - first(b));
      assert.equal(text(threads(messages, 'REFS')), text(roots));
    }),
    { numRuns: 3000 },
  );
});

test('by subject, the first message has all others below it', () => {
  fc.assert(
    fc.property(mailbox, (messages) => {
      const order = messages.map((_, i) => i).sort((a, b) => messages[a]!.date - messages[b]!.date || a - b);
      const roots: Thread[] = [];
      for (const subject of new Set(order.map((i) => messages[i]!.subject))) {
        const [first, ...others] = order.filter((i) => messages[i]!.subject === subject);
        roots.push({ message: first, children: others.map((message) => ({ message, children: [] })) });
      }
      assert.equal(text(threads(messages, 'ORDEREDSUBJECT')), text(roots));
    }),
    { numRuns: 1000 },
  );
});

test('a chain of 50,000 answers, and one that is told from its end', () => {
  const count = 50_000;
  const chain = Array.from({ length: count }, (_, i) => ({
    id: `m${i}`,
    references: i === 0 ? [] : [`m${i - 1}`],
    subject: '',
    isReply: false,
    date: i,
  }));
  for (const messages of [chain, chain.toReversed()]) {
    const [root, ...others] = threads(messages, 'REFERENCES');
    assert.equal(others.length, 0);
    let depth = 0;
    for (let node = root; node !== undefined; node = node.children[0]) depth++;
    assert.equal(depth, count);
  }
});
