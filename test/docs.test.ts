// The words stay true: paths exist, commands parse, references are those of the program, RFCs claimed are RFCs followed.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { type Command, CommanderError } from 'commander';
import { citedRfcs, commandTree, references } from '../docs/generate.ts';

const root = resolve(import.meta.dirname, '..');

interface Page {
  readonly name: string;
  readonly text: string;
}

const pages: readonly Page[] = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
].map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));

/** What stands between backticks in the text, first word only. */
function spans({ text }: Page): string[] {
  return [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
}

function withoutBlocks(text: string): string {
  return text.replace(/^```[^\n]*\n[\s\S]*?^```$/gm, '').replace(/^ {4}.*$/gm, '');
}

/** Lines of code blocks, fenced or indented; a line that ends in a backslash goes on. */
function blockLines({ text }: Page): string[] {
  const fenced = [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  const indented = [...text.matchAll(/^ {4}(.*)$/gm)].map((match) => match[1]!);
  return [...fenced, indented.join('\n')]
    .join('\n')
    .replace(/\\\n\s*/g, ' ')
    .split('\n');
}

test('every path of the checkout that is named exists', () => {
  // What lies in the data directory, or is made by a build, has no such first part.
  const ours = /^(src|test|docs|bench|\.ci)\/[A-Za-z0-9_./-]*$/;
  const missing: string[] = [];
  for (const page of pages)
    for (const span of spans(page)) {
      const path = span.split(' ')[0]!;
      if (ours.test(path) && !existsSync(join(root, path))) missing.push(`${page.name}: ${path}`);
    }
  assert.deepEqual(missing, []);
});

test('every link to a page or file leads there', () => {
  const missing: string[] = [];
  for (const { name, text } of pages)
    for (const [, target] of withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const path = target!.split('#')[0]!;
      if (path !== '' && !existsSync(resolve(root, dirname(name), path))) missing.push(`${name}: ${target}`);
    }
  assert.deepEqual(missing, []);
});

/** The words of each `waypost` command in a line of shell, those whose output it takes too. */
function commandsIn(given: string): string[][] {
  const line = given.replace(/"?\$\(([^()]*)\)"?/g, ' ; $1 ; ');
  const segments: string[][] = [[]];
  for (const [, quoted, double, end, word] of line
    .replace(/^\$ /, '')
    .matchAll(/'([^']*)'|"([^"]*)"|(&&|\|\||[|;<>]|\s#)|([^\s'"|;<>&]+|&)/g)) {
    if (end !== undefined) segments.push([]);
    else segments.at(-1)!.push(quoted ?? double ?? word!);
  }
  return segments.flatMap((words) => {
    const command = words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word)));
    return command.length > 1 && /^(\.\/)?waypost$/.test(command[0]!) ? [command.slice(1)] : [];
  });
}

/** Why the program would not take these words, undefined when it would. Nothing is run. */
function refusal(words: readonly string[]): CommanderError | undefined {
  const program = commandTree();
  const still = (command: Command): void => {
    command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
    // `sync` does something of its own, beside its verbs.
    if (command.commands.length === 0 || (command !== program && command.options.length > 0)) command.action(() => {});
    for (const child of command.commands) still(child);
  };
  still(program);
  try {
    program.parse([...words], { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? undefined : error;
    throw error;
  }
}

test('every waypost command in a code block parses with the program’s own commands', () => {
  const wrong: string[] = [];
  let found = 0;
  for (const page of pages) {
    // Made from the same commands, with names in place of arguments.
    if (page.name === join('docs', 'reference', 'commands.md')) continue;
    for (const words of blockLines(page).flatMap(commandsIn)) {
      found++;
      const error = refusal(words);
      if (error !== undefined) wrong.push(`${page.name}: waypost ${words.join(' ')}: ${error.message}`);
    }
  }
  assert.ok(found > 20, 'no commands found');
  assert.deepEqual(wrong, []);
});

test('a text with a dollar goes to a command as it stands: the word that ends it is quoted', () => {
  const wrong = pages.flatMap(({ name, text }) =>
    [...text.matchAll(/<<(EO[FT])\n([\s\S]*?)^\1$/gm)].flatMap(([, , body]) =>
      /[$`\\]/.test(body!) ? [`${name}: ${body!.split('\n')[0]}`] : [],
    ),
  );
  assert.deepEqual(wrong, []);
});

test('every waypost command named in the text exists, with its options', () => {
  const wrong: string[] = [];
  for (const page of pages)
    for (const words of spans(page).flatMap(commandsIn)) {
      const error = refusal(words);
      // In a sentence, arguments may be left out.
      if (error !== undefined && !['commander.missingArgument', 'commander.help'].includes(error.code))
        wrong.push(`${page.name}: waypost ${words.join(' ')}: ${error.message}`);
    }
  assert.deepEqual(wrong, []);
});

test('the references are those of the program', async () => {
  for (const [path, text] of await references()) {
    const file = join(root, 'docs', path);
    const committed = existsSync(file) ? readFileSync(file, 'utf8') : '';
    assert.equal(committed, text, `${relative(root, file)} is not what the program says: run npm run docs`);
  }
});

test('an RFC that a page names is named by the code', () => {
  const cited = citedRfcs();
  const wrong: string[] = [];
  for (const { name, text } of pages)
    for (const [, number] of text.matchAll(/\bRFC (\d{3,5})/g))
      if (!cited.has(Number(number))) wrong.push(`${name}: RFC ${number}`);
  assert.deepEqual([...new Set(wrong)], []);
});

test('a test that a page names by file and title is there', () => {
  const wrong: string[] = [];
  for (const { name, text } of pages)
    for (const [, file, title] of text.matchAll(/`((?:src|test)\/[^`]+)` “([^”]+)”/g)) {
      const test = existsSync(join(root, file!)) ? readFileSync(join(root, file!), 'utf8') : '';
      if (!test.replaceAll("\\'", "'").includes(title!)) wrong.push(`${name}: ${file} has no “${title}”`);
    }
  assert.deepEqual(wrong, []);
});
