// Each right of a caller on an entry, and the rule that decides it.
//
// In      a caller, an entry
// Out     rights of the entry and of its attributes: those that it has, and those that its classes allow
// Reading an entry is the question whether one of its attributes can be read: the rule is that one's. A right to write that
// depends on the value says so (`someValues`)

import type { Reader } from '../../database/operation.ts';
import type { Caller } from '../caller.ts';
import type { Entry } from '../entry.ts';
import { schema, typeKeyOf } from '../schema.ts';
import { mayDoAll } from './check-change.ts';
import { applicable, judgeRules, type RightDecision, type RightQuestion } from './decide.ts';
import { look } from './look.ts';
import { planFor } from './plan.ts';
import type { AciRule, Right } from './rule.ts';
import { ACI_KEY } from './rules.ts';
import { targetOf } from './target.ts';

export interface ExplainedRight {
  readonly allowed: boolean;
  /** Undefined where none says anything. */
  readonly rule: { readonly dn: string; readonly name: string } | undefined;
  /** A rule looks at the values: for some the answer is another. */
  readonly someValues?: true;
}

type Explained = ReadonlyMap<Right, ExplainedRight>;

export interface ExplainedAccess {
  readonly entry: Explained;
  /** By published name. */
  readonly attributes: ReadonlyMap<string, Explained>;
}

const OF_ENTRY: readonly Right[] = ['add', 'delete', 'proxy'];
const LOOKS: readonly Right[] = ['read', 'search', 'compare'];
const WRITES: readonly Right[] = ['write', 'selfwrite'];
const OF_ATTRIBUTE: readonly Right[] = [...LOOKS, ...WRITES];
const EVERYTHING: ExplainedRight = { allowed: true, rule: undefined };
/** Of what the server makes. */
const NO: ExplainedRight = { allowed: false, rule: undefined };

export function explainAccess(reader: Reader, caller: Caller, entry: Entry): ExplainedAccess {
  const keys = attributeKeys(entry);
  const own = [...entry.attributes.keys(), ...(entry.memberCounts?.keys() ?? [])].map(typeKeyOf);
  const ask = mayDoAll(caller) ? () => EVERYTHING : asking(reader, caller, entry);
  const ofAttribute = (key: string): Explained => {
    const isMade = schema().attributeType(key)?.isMade === true;
    return new Map(
      OF_ATTRIBUTE.map((right) => [right, isMade && WRITES.includes(right) ? NO : ask({ right, attribute: key })]),
    );
  };
  const looks = LOOKS.map((right) => {
    const answers = own.map((attribute) => ask({ right, attribute }));
    const answer = answers.find(({ allowed }) => allowed) ?? answers.find(({ rule }) => rule !== undefined);
    return [right, answer ?? { allowed: false, rule: undefined }] as const;
  });
  return {
    entry: new Map([...looks, ...OF_ENTRY.map((right) => [right, ask({ right })] as const)]),
    attributes: new Map(keys.map((key) => [schema().attributeType(key)!.name, ofAttribute(key)])),
  };
}

function asking(reader: Reader, caller: Caller, entry: Entry): (question: RightQuestion) => ExplainedRight {
  const plan = planFor(reader, caller);
  const { rules, needs } = plan.candidates(entry.normalizedDn, 'all');
  const { caller: facts, domains } = plan;
  const about = (isNew: boolean) => {
    const target = look(reader, targetOf({ entry, needs, caller: facts, domains, isNew }));
    return { target, apply: applicable(rules, facts, target) };
  };
  const [now, added] = [about(false), about(true)];
  return (question) => {
    const { target, apply } = question.right === 'add' ? added : now;
    const { attribute, right } = question;
    const isSecret = attribute !== undefined && schema().attributeType(attribute)?.isSecret === true;
    const decision: RightDecision =
      isSecret && LOOKS.includes(right) ? { allowed: false, rule: undefined } : judgeRules(apply, target, question);
    const { allowed, rule } = decision;
    const byValue =
      attribute !== undefined && right === 'write'
        ? apply.find(({ values, rights }) => rights.has('write') && hasValues(values, attribute))
        : undefined;
    const said = rule ?? byValue;
    const explained = { allowed, rule: said && { dn: said.dn, name: said.name } };
    return byValue === undefined || (rule !== undefined && !allowed) ? explained : { ...explained, someValues: true };
  };
}

function hasValues(values: AciRule['values'], attribute: string): boolean {
  return values?.add.has(attribute) === true || values?.delete.has(attribute) === true;
}

/** Keys of types, in the order of their names. */
function attributeKeys(entry: Entry): readonly string[] {
  const keys = new Set([ACI_KEY, ...[...entry.attributes.keys()].map(typeKeyOf)]);
  for (const value of entry.attributes.get('objectclass')?.values ?? []) {
    let of = typeof value === 'string' ? schema().objectClass(value) : undefined;
    for (; of !== undefined; of = of.superclass)
      for (const name of [...of.must, ...of.may]) keys.add(schema().attributeType(name)?.key ?? ACI_KEY);
  }
  return [...keys].filter((key) => schema().attributeType(key) !== undefined).sort();
}
