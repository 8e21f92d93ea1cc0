// Loads the program's sources faster than Node does by itself; the launcher names this file with `--import`, threads inherit that.
//
// In      an import of one file of this checkout by another, or of a package's own; the file
// Out     its address, without Node's search for a package that it might belong to; its text with types stripped, from the folder
//         beside Node's compile cache where it has been read before
// Limits  a kept text is that of this file's identity: inode, size, and the time of its last change, which nobody can set
// A server loads 2,000 files into its threads: without this it takes 40 per cent more processor time to start. Whatever goes wrong
// here, Node's own way is taken. What a package's files hold is not touched: it is JavaScript.

import { mkdirSync, readFileSync, renameSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { getCompileCacheDir, registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of the checkout. */
const ROOT = new URL('../../', import.meta.url).href;
const PACKAGES = new URL('node_modules/', ROOT).href;
/** Of this version of Node. */
const cache = getCompileCacheDir();
const folder = cache === undefined ? undefined : join(cache, 'stripped');
let made = 0;

function isOurs(url: string | undefined): url is string {
  return url?.startsWith(ROOT) === true && url.endsWith('.ts');
}

registerHooks({
  resolve(specifier, context, next) {
    const { parentURL, conditions } = context;
    if (!specifier.startsWith('.')) return next(specifier, context);
    if (specifier.endsWith('.ts') && isOurs(parentURL))
      return { url: new URL(specifier, parentURL).href, format: 'module-typescript', shortCircuit: true };
    // A module of that name makes those beside it modules.
    if (specifier.endsWith('.js') && isModuleOfPackage(parentURL) && conditions.includes('import'))
      return { url: new URL(specifier, parentURL).href, format: 'module', shortCircuit: true };
    return next(specifier, context);
  },
  load(url, context, next) {
    const source = folder !== undefined && isOurs(url) ? stripped(fileURLToPath(url), folder) : undefined;
    return source === undefined ? next(url, context) : { format: 'module', source, shortCircuit: true };
  },
});

function isModuleOfPackage(url: string | undefined): url is string {
  return url?.startsWith(PACKAGES) === true && url.endsWith('.js');
}

function stripped(file: string, folder: string): string | undefined {
  try {
    const identity = identityOf(statSync(file));
    const kept = join(folder, encodeURIComponent(file));
    const text = textOf(kept);
    if (text?.endsWith(identity)) return text;
    const source = strip(readFileSync(file, 'utf8')) + identity;
    mkdirSync(folder, { recursive: true });
    // Others may be reading: it is there as a whole or not at all.
    const whole = `${kept}.${process.pid}.${++made}`;
    writeFileSync(whole, source);
    renameSync(whole, kept);
    return source;
  } catch {
    return undefined;
  }
}

function identityOf({ dev, ino, size, ctimeMs }: Stats): string {
  return `\n// ${dev} ${ino} ${size} ${ctimeMs}`;
}

function textOf(kept: string): string | undefined {
  try {
    return readFileSync(kept, 'utf8');
  } catch {
    return undefined;
  }
}

/** Node says of this function, and not of stripping, that it is an experiment; once a process, where a user would read it. */
function strip(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}
