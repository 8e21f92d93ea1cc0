// Which single changes break a file of the sources, each one that still compiles.
//
// In      a checkout with its tsconfig.json; files below it
// Out     mutants: a place in a file, and the text that stands there instead
// Kinds   comparison  === and !== change places, so do < and >=, > and <=
//         boundary    < and <=, > and >= change places; the 1 of `+ 1` and `- 1` is a 0
//         negation    a condition is the other way round; `!` is taken away
//         removed     a call, an assignment, `break`, `continue`, `throw`, or a guard (`if` that leaves) is not there
//         branch      the two arms of `if` or of `?:` change places
// Never   what only writes the log, or asserts what cannot be otherwise; types, and tables of data: nothing of the above is in them
// A change that the types refuse is no mutant: `npm test` ends before its tests there. What it leaves unused is not looked at.

import { join } from 'node:path';
import {
  type Block,
  type ConditionalExpression,
  type ExpressionStatement,
  type IfStatement,
  type Node,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast';
import {
  isBinaryExpression,
  isCallExpression,
  isNumericLiteral,
  isPrefixUnaryExpression,
} from 'typescript/unstable/ast/is';
import { API, type Program } from 'typescript/unstable/sync';

export type MutantKind = 'comparison' | 'boundary' | 'negation' | 'removed' | 'branch';

export interface Mutant {
  /** From the checkout's root. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly kind: MutantKind;
  /** Offsets in the file's text. */
  readonly start: number;
  readonly end: number;
  /** What stands there instead. */
  readonly text: string;
  /** For readers, on one line. */
  readonly before: string;
  readonly after: string;
}

interface Change {
  readonly kind: MutantKind;
  /** The place. */
  readonly node: Node;
  readonly text: string;
  /** What a reader is shown of the file: this, before and after. */
  readonly shown: Node;
}

const OPPOSITE: ReadonlyMap<SyntaxKind, string> = new Map([
  [SyntaxKind.EqualsEqualsEqualsToken, '!=='],
  [SyntaxKind.ExclamationEqualsEqualsToken, '==='],
  [SyntaxKind.LessThanToken, '>='],
  [SyntaxKind.GreaterThanEqualsToken, '<'],
  [SyntaxKind.GreaterThanToken, '<='],
  [SyntaxKind.LessThanEqualsToken, '>'],
]);
const WITH_OR_WITHOUT_EQUAL: ReadonlyMap<SyntaxKind, string> = new Map([
  [SyntaxKind.LessThanToken, '<='],
  [SyntaxKind.LessThanEqualsToken, '<'],
  [SyntaxKind.GreaterThanToken, '>='],
  [SyntaxKind.GreaterThanEqualsToken, '>'],
]);
const LEAVES: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.ReturnStatement,
  SyntaxKind.ThrowStatement,
  SyntaxKind.ContinueStatement,
  SyntaxKind.BreakStatement,
]);
/** TS6133, TS6138, TS6192, TS6196, TS6198, TS6199: declared, and not used. TS7027: cannot be reached. */
const HARMLESS: ReadonlySet<number> = new Set([6133, 6138, 6192, 6196, 6198, 6199, 7027]);
const SHOWN_CHARACTERS = 110;

/** The sources as the compiler reads them. To be closed. */
export class Sources {
  readonly #root: string;
  readonly #api: API;
  #program: Program;

  constructor(root: string) {
    this.#root = root;
    this.#api = new API({ cwd: root });
    this.#program = programOf(this.#api.updateSnapshot({ openProjects: [join(root, 'tsconfig.json')] }));
  }

  /** In the file's order. */
  mutantsOf(file: string): Mutant[] {
    const source = this.#program.getSourceFile(join(this.#root, file));
    if (source === undefined) throw new Error(`tsconfig.json does not include ${file}`);
    const mutants: Mutant[] = [];
    const walk = (node: Node): void => {
      for (const change of changesAt(node, source)) mutants.push(mutantOf(file, source, change));
      node.forEachChild(walk);
    };
    walk(source);
    return mutants;
  }

  /** Asked while the file holds the mutant; it has to be told, too, when the file is as it was. */
  compiles(file: string): boolean {
    const path = join(this.#root, file);
    this.changed(file);
    const found = [...this.#program.getSyntacticDiagnostics(path), ...this.#program.getSemanticDiagnostics(path)];
    return found.every(({ code }) => HARMLESS.has(code));
  }

  changed(file: string): void {
    this.#program = programOf(this.#api.updateSnapshot({ fileChanges: { changed: [join(this.#root, file)] } }));
  }

  close(): void {
    this.#api.close();
  }
}

function programOf(snapshot: ReturnType<API['updateSnapshot']>): Program {
  const [project] = snapshot.getProjects();
  if (project === undefined) throw new Error('no tsconfig.json');
  return project.program;
}

function mutantOf(file: string, source: SourceFile, { kind, node, text, shown }: Change): Mutant {
  const start = node.getStart(source);
  const from = shown.getStart(source);
  const place = source.getLineAndCharacterOfPosition(start);
  const after = source.text.slice(from, start) + text + source.text.slice(node.end, shown.end);
  return {
    ...{ file, line: place.line + 1, kind, start, end: node.end, text },
    before: onOneLine(source.text.slice(from, shown.end)),
    after: onOneLine(after),
  };
}

function onOneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)} ...` : line;
}

function* changesAt(node: Node, source: SourceFile): Generator<Change> {
  if (isBinaryExpression(node)) {
    const { operatorToken, right } = node;
    const opposite = OPPOSITE.get(operatorToken.kind);
    if (opposite !== undefined) yield { kind: 'comparison', node: operatorToken, text: opposite, shown: node };
    const near = WITH_OR_WITHOUT_EQUAL.get(operatorToken.kind);
    if (near !== undefined) yield { kind: 'boundary', node: operatorToken, text: near, shown: node };
    const adds = operatorToken.kind === SyntaxKind.PlusToken || operatorToken.kind === SyntaxKind.MinusToken;
    if (adds && isNumericLiteral(right) && right.text === '1')
      yield { kind: 'boundary', node: right, text: '0', shown: node };
  }
  if (isPrefixUnaryExpression(node) && node.operator === SyntaxKind.ExclamationToken)
    yield { kind: 'negation', node, text: node.operand.getText(source), shown: node.parent };
  if (node.kind === SyntaxKind.ConditionalExpression) {
    const { condition, whenTrue, whenFalse } = node as ConditionalExpression;
    const [question, yes, no] = [condition, whenTrue, whenFalse].map((part) => part.getText(source));
    yield { kind: 'branch', node, text: `${question} ? ${no} : ${yes}`, shown: node };
  }
  if (node.kind === SyntaxKind.IfStatement) yield* changesOfIf(node as IfStatement, source);
  else if (isRemovable(node, source)) yield { kind: 'removed', node, text: ';', shown: node };
}

function* changesOfIf(node: IfStatement, source: SourceFile): Generator<Change> {
  const { expression, thenStatement, elseStatement } = node;
  const question = expression.getText(source);
  if (elseStatement !== undefined) {
    const [yes, no] = [thenStatement, elseStatement].map((part) => part.getText(source));
    // Of `else if` the first arm is what comes last: in braces, so that no other `else` follows it.
    yield { kind: 'branch', node, text: `if (${question}) { ${no} } else { ${yes} }`, shown: node };
    return;
  }
  if (!isTurnedElsewhere(expression)) yield { kind: 'negation', node: expression, text: `!(${question})`, shown: node };
  if (leaves(thenStatement)) yield { kind: 'removed', node, text: ';', shown: node };
}

/** A comparison or a negation: its own changes turn the condition round. */
function isTurnedElsewhere(condition: Node): boolean {
  if (isPrefixUnaryExpression(condition)) return condition.operator === SyntaxKind.ExclamationToken;
  return isBinaryExpression(condition) && OPPOSITE.has(condition.operatorToken.kind);
}

function leaves(statement: Node): boolean {
  if (statement.kind !== SyntaxKind.Block) return LEAVES.has(statement.kind);
  const last = (statement as Block).statements.at(-1);
  return last !== undefined && LEAVES.has(last.kind);
}

function isRemovable(node: Node, source: SourceFile): boolean {
  if (node.kind === SyntaxKind.ThrowStatement) return true;
  if (node.kind === SyntaxKind.BreakStatement || node.kind === SyntaxKind.ContinueStatement) return true;
  if (node.kind !== SyntaxKind.ExpressionStatement) return false;
  const { expression } = node as ExpressionStatement;
  if (!isCallExpression(expression)) return true;
  const called = expression.expression.getText(source);
  return called !== 'super' && !/^assert\b|\blog\??\.(debug|info|warn|error)$/.test(called);
}
