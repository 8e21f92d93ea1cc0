// The power cut: a data directory as a disk would hold it, made from what interpose.c kept while the server ran.
//
// In      the data directory and the image beside it
// Out     PowerLoss for the harness: environment for the server, `begin`, `cut`
// Never   guesses: a file that was never synced is empty, a name whose directory was not synced is gone
//
// Left out: `-shm` files (a memory map, made anew from the `-wal`) and sockets.

import { execFileSync } from 'node:child_process';
import {
  type BigIntStats,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { PowerLoss } from '../harness.ts';

/** Compiles the library and gives the switch; `folder` holds both library and image and must not lie inside `data`. */
export function preparePowerLoss(compiler: string, folder: string, data: string): PowerLoss {
  const library = join(folder, 'interpose.so');
  const image = join(folder, 'image');
  const source = join(import.meta.dirname, 'interpose.c');
  execFileSync(compiler, ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-o', library, source, '-ldl', '-lpthread']);
  return {
    env: {
      LD_PRELOAD: library,
      POWER_LOSS_DATA: data,
      POWER_LOSS_IMAGE: image,
      // Writes by io_uring would pass by the library.
      UV_USE_IO_URING: '0',
    },
    begin() {
      rmSync(image, { recursive: true, force: true });
      mkdirSync(join(image, 'files'), { recursive: true });
      mkdirSync(join(image, 'directories'));
      remember(data, image);
    },
    cut() {
      const next = `${data}.next`;
      rmSync(next, { recursive: true, force: true });
      rebuild(keyOf(lstatSync(data, { bigint: true })), image, next);
      rmSync(data, { recursive: true });
      renameSync(next, data);
      this.begin();
    },
  };
}

/** As in interpose.c: inode, and birth time in hexadecimal. */
function keyOf(found: BigIntStats): string {
  const second = 1_000_000_000n;
  return `${found.ino}-${(found.birthtimeNs / second).toString(16)}.${(found.birthtimeNs % second).toString(16)}`;
}

/** Everything in the directory as synced. */
function remember(directory: string, image: string): void {
  const names: string[] = [];
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const found = lstatSync(path, { bigint: true });
    const key = keyOf(found);
    if (found.isDirectory()) remember(path, image);
    else if (found.isFile()) copyFileSync(path, join(image, 'files', key));
    else continue;
    names.push(`${found.isDirectory() ? 'd' : 'f'} ${key} ${name}\n`);
  }
  writeFileSync(join(image, 'directories', keyOf(lstatSync(directory, { bigint: true }))), names.join(''));
}

function rebuild(key: string, image: string, directory: string): void {
  mkdirSync(directory, { mode: 0o700 });
  const list = join(image, 'directories', key);
  if (!existsSync(list)) return;
  for (const line of readFileSync(list, 'utf8').split('\n')) {
    const [, kind, child, name] = /^([fd]) (\S+) (.*)$/s.exec(line) ?? [];
    if (name === undefined || name.endsWith('-shm')) continue;
    const path = join(directory, name);
    const synced = join(image, 'files', child!);
    if (kind === 'd') rebuild(child!, image, path);
    else if (existsSync(synced)) copyFileSync(synced, path);
    else writeFileSync(path, '', { mode: 0o600 });
  }
}
