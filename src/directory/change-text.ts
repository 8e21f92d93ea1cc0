// A change of the log as a change record of LDIF, for who follows by hand.
//
// In      the change; the move that it may have come along with; whether secrets go along
// Out     the record; '' for what nobody else can carry out: tokens alone have changed, or the entry moved with its superior
// Order   what moves along stands right behind the move in the log, and nowhere else: its old name is another's by then, or nobody's
// Passwords are not in the log: with secrets the record has those of now

import type { Reader } from '../database/operation.ts';
import type { WholeChange } from './change-log.ts';
import { parentOf, parseDn } from './dn.ts';
import { entryByUuid } from './entries.ts';
import type { Attribute, DirectoryChange, Modification } from './entry.ts';
import { isExported } from './exported-entry.ts';
import { changeRecord } from './ldif-text.ts';
import { schema, typeKeyOf } from './schema.ts';

export interface ChangeTextOptions {
  /** Whether who reads this carries it out by the change before. */
  readonly isAlong: boolean;
  readonly hasSecrets: boolean;
}

type Move = Pick<WholeChange, 'dn' | 'newDn'>;

/** Of a change that follows this move, with nothing between them but what moved along. */
export function movedAlong({ dn, newDn, attributes }: WholeChange, move: Move | undefined): boolean {
  if (move?.newDn === undefined || newDn === undefined || attributes.length > 0) return false;
  return dn.endsWith(`,${move.dn}`) && newDn === `${dn.slice(0, -move.dn.length)}${move.newDn}`;
}

export function changeText(reader: Reader, logged: WholeChange, options: ChangeTextOptions): string {
  const change = changeOf(reader, logged, options);
  if (change === undefined) return '';
  const { revision, at, author, uuid } = logged;
  const by = author === '' ? '' : ` by ${author}`;
  return changeRecord(change, [`revision ${revision}, ${new Date(at).toISOString()}${by}, entryUUID ${uuid}`]);
}

function changeOf(reader: Reader, logged: WholeChange, options: ChangeTextOptions): DirectoryChange | undefined {
  const { kind, dn } = logged;
  switch (kind) {
    case 'add':
      return { kind, dn, attributes: addedBy(reader, logged, options) };
    case 'modify': {
      const modifications = modificationsOf(reader, logged, options);
      return modifications.length === 0 ? undefined : { kind, dn, modifications };
    }
    case 'rename':
      return options.isAlong ? undefined : renameOf(logged);
    case 'delete':
      return { kind, dn };
    default:
      return kind satisfies never;
  }
}

function addedBy(reader: Reader, { attributes, uuid }: WholeChange, { hasSecrets }: ChangeTextOptions): Attribute[] {
  return attributes
    .filter(({ name }) => isExported(name, hasSecrets))
    .map(({ name, added }) => ({ name, values: isSecret(name) ? valuesNow(reader, uuid, name) : added }))
    .filter(({ values }) => values.length > 0);
}

function modificationsOf(reader: Reader, { attributes, uuid }: WholeChange, { hasSecrets }: ChangeTextOptions) {
  return attributes
    .filter(({ name }) => isExported(name, hasSecrets))
    .flatMap(({ name: attribute, removed, added }): Modification[] => {
      if (isSecret(attribute)) return [{ operation: 'replace', attribute, values: valuesNow(reader, uuid, attribute) }];
      const made: Modification[] = [];
      if (removed.length > 0) made.push({ operation: 'delete', attribute, values: removed });
      if (added.length > 0) made.push({ operation: 'add', attribute, values: added });
      return made;
    });
}

function renameOf(logged: WholeChange): DirectoryChange {
  const { dn, newDn } = logged;
  const [from, to] = [parseDn(dn), parseDn(newDn!)];
  const newAbove = parentOf(to)?.text ?? '';
  const newRdn = rdnText(to.text, newAbove);
  const moves = parentOf(from)?.normalized !== parentOf(to)?.normalized;
  const deleteOldRdn = logged.attributes.some(({ removed }) => removed.length > 0);
  return { kind: 'rename', dn, newRdn, deleteOldRdn, newSuperior: moves ? newAbove : undefined };
}

function rdnText(dn: string, above: string): string {
  return above === '' ? dn : dn.slice(0, -above.length - 1);
}

function valuesNow(reader: Reader, uuid: string, name: string): Attribute['values'] {
  const key = schema().description(name)?.key ?? '';
  return entryByUuid(reader, uuid)?.attributes.get(key)?.values ?? [];
}

function isSecret(name: string): boolean {
  return schema().attributeType(typeKeyOf(name))?.isSecret === true;
}
