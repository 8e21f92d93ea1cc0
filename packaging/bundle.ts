// The program as JavaScript of the package: a few dozen files instead of a thousand, so that a server's threads start in less time
// and memory. The names of modules and functions stay, and their text but for its types.
//
// In      src/
// Out     FOLDER/: main.js, a file for each thread and for `waypost/testing`, in shared/ what more than one of them needs
// A thread is what `new URL('./x.ts', import.meta.url)` names. Everywhere else `import.meta` says the place that the module would
// have by itself: `server/x.js` is two levels below the package, whatever file it came into.

import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { type Plugin, rollup } from '@rollup/wasm-node';

const sources = resolve(import.meta.dirname, '../src');
/** Of the program, and what package.json exports. */
const ENTRIES = ['main', 'estate/estate'];
/** Files that are read at run time from where their module is. */
const BESIDE = ['message/charsets.json'];
const THREAD = /new URL\('(\.[^']*\.ts)', import\.meta\.url\)/g;

const modules: Plugin = {
  name: 'modules',
  load(file) {
    return file.endsWith('.ts') ? stripTypeScriptTypes(readFileSync(file, 'utf8')) : undefined;
  },
  transform(code, file) {
    return code.replace(THREAD, (_, specifier: string) => {
      const id = resolve(dirname(file), specifier);
      const name = relative(sources, id).slice(0, -'.ts'.length);
      return `new URL(import.meta.ROLLUP_FILE_URL_${this.emitFile({ type: 'chunk', id, name })})`;
    });
  },
  resolveImportMeta(property, { chunkId, moduleId }) {
    const place = relative(dirname(chunkId), `${relative(sources, moduleId).slice(0, -'.ts'.length)}.js`);
    const url = `new URL(${JSON.stringify(place.startsWith('.') ? place : `./${place}`)}, import.meta.url)`;
    if (property === 'url') return `${url}.href`;
    if (property === 'dirname') return `process.getBuiltinModule('node:url').fileURLToPath(new URL('.', ${url}))`;
    return null;
  },
};

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('bundle.ts FOLDER');
const bundle = await rollup({
  input: Object.fromEntries(ENTRIES.map((name) => [name, join(sources, `${name}.ts`)])),
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
  plugins: [modules],
  // What a module does when it is loaded is left as it is.
  treeshake: false,
});
await bundle.write({
  dir: folder,
  format: 'es',
  entryFileNames: '[name].js',
  chunkFileNames: (chunk) => (chunk.facadeModuleId === null ? 'shared/[name].js' : '[name].js'),
});
await bundle.close();
for (const name of BESIDE) {
  mkdirSync(join(folder, dirname(name)), { recursive: true });
  copyFileSync(join(sources, name), join(folder, name));
}
