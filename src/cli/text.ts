// A text for people from standard input: UTF-8, with the line ends that it has; the last one is the terminal's.

import { Failure } from '../base/failure.ts';

const TEXT_BYTES_MAX = 64 * 1024;

export async function readText(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > TEXT_BYTES_MAX) throw new Failure('too-large', `the text is longer than ${TEXT_BYTES_MAX} bytes`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, '');
  } catch {
    throw new Failure('invalid', 'the text is not UTF-8');
  }
}
