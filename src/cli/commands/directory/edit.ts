// waypost directory edit DN: an entry in the editor, and what has been changed there in the directory.
//
// In      VISUAL or EDITOR, else vi: a command to which the file's name is added
// Out     one change with the values that went and those that came: a value that another has changed meanwhile is refused
// Errors  what is refused stays in the file, whose name is said
// Passwords are not among the attributes, and stay as they are

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { asciiLower } from '../../../base/characters.ts';
import { Failure } from '../../../base/failure.ts';
import type { Attribute, AttributeValue, DirectoryChange, Modification } from '../../../directory/entry.ts';
import { parseLdif } from '../../../directory/ldif.ts';
import { changeRecord } from '../../../directory/ldif-text.ts';
import type { AdminClient } from '../../client.ts';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';

export function editCommand(context: CommandContext): Command {
  return common(new Command('edit').argument('<dn>', 'its name'))
    .description('change one entry in your editor (VISUAL, EDITOR)')
    .action(async (dn: string, options: CommonOptions) => {
      const client = context.client(options);
      const before = await textOf(client, dn);
      const path = join(mkdtempSync(join(tmpdir(), 'waypost-edit-')), 'entry.ldif');
      writeFileSync(path, before, { mode: 0o600 });
      await edited(context.editor, path);
      const said = await changed(client, before, path);
      rmSync(dirname(path), { recursive: true });
      context.printer({}).print(said, () => said);
    });
}

async function textOf(client: AdminClient, base: string): Promise<string> {
  const attributes = ['*', 'aci'];
  const { ldif } = await client.call('directory.search', {
    filter: '(objectClass=*)',
    base,
    scope: 'base',
    attributes,
  });
  // Without the empty line behind a record: what is added at the end is of this one.
  return ldif.replace(/\n+$/, '\n');
}

async function edited(editor: string, path: string): Promise<void> {
  const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Failure('invalid', `${editor} has failed: nothing is changed, your text is in ${path}`);
}

async function changed(client: AdminClient, before: string, path: string): Promise<string> {
  const after = readFileSync(path, 'utf8');
  if (after === before || after.trim() === '') return 'nothing has been changed';
  try {
    const change = changeBetween(before, after);
    if (change.modifications.length === 0) return 'nothing has been changed';
    const { revision } = await client.call('directory.change', { ldif: changeRecord(change) });
    return `${change.dn} is changed, revision ${revision}`;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.kind, `${error.message}; your text is in ${path}`, { cause: error });
  }
}

type Modify = Extract<DirectoryChange, { kind: 'modify' }>;

function changeBetween(before: string, after: string): Modify {
  const [old, now] = [entryIn(before), entryIn(after)];
  if (old.dn !== now.dn)
    throw new Failure('invalid', 'the name of an entry is not changed here: user move, domain rename, or ldapmodrdn');
  const names = new Set([...old.attributes.keys(), ...now.attributes.keys()]);
  const modifications = [...names].flatMap((name): Modification[] => {
    const [was, is] = [old.attributes.get(name), now.attributes.get(name)];
    const attribute = (is ?? was)!.name;
    const removed = without(was?.values ?? [], is?.values ?? []);
    const added = without(is?.values ?? [], was?.values ?? []);
    return [
      ...(removed.length === 0 ? [] : [{ operation: 'delete' as const, attribute, values: removed }]),
      ...(added.length === 0 ? [] : [{ operation: 'add' as const, attribute, values: added }]),
    ];
  });
  return { kind: 'modify', dn: old.dn, modifications };
}

function entryIn(text: string): { readonly dn: string; readonly attributes: ReadonlyMap<string, Attribute> } {
  const [entry, ...more] = parseLdif(text, 2);
  if (entry?.kind !== 'add' || more.length > 0) throw new Failure('syntax', 'the file is to hold this one entry');
  const attributes = new Map<string, Attribute>();
  for (const { name, values } of entry.attributes) {
    const known = attributes.get(asciiLower(name))?.values ?? [];
    attributes.set(asciiLower(name), { name, values: [...known, ...values] });
  }
  return { dn: entry.dn, attributes };
}

function without(values: readonly AttributeValue[], others: readonly AttributeValue[]): AttributeValue[] {
  const known = new Set(others.map(keyOf));
  return values.filter((value) => !known.has(keyOf(value)));
}

function keyOf(value: AttributeValue): string {
  return typeof value === 'string' ? `s${value}` : `b${Buffer.from(value).toString('base64')}`;
}
